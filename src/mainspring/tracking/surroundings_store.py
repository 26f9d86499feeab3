"""Which runs tried the same thing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from mainspring.tracking.contract import to_wire
from mainspring.tracking.surroundings_contract import FindTried, Tried
from mainspring.tracking.tables import (
    dataset_table,
    metric_table,
    run_dataset_table,
    run_table,
)

TRAINING = "training"


class SurroundingsStore:
    """What surrounds the runs of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def tried(self, request: FindTried) -> list[Tried]:
        """Finished runs of the setup that trained on all of the data, newest first."""
        wanted = set(request.data)
        query = (
            select(run_table)
            .where(
                run_table.c.workspace_id == self._workspace_id,
                run_table.c.setup == request.setup,
                run_table.c.status == "finished",
                run_table.c.deleted_at.is_(None),
                run_table.c.public_id != (request.but or ""),
                self._trained_on(wanted) == len(wanted),
            )
            .order_by(run_table.c.id.desc())
            .limit(request.limit)
        )
        return [self._shown(row) for row in self._connection.execute(query)]

    def _trained_on(self, digests: set[str]) -> Any:
        """How many of the digests a run trained on; how many there are in all if none is named."""
        link = run_dataset_table
        query = (
            select(func.count(func.distinct(dataset_table.c.digest)))
            .join(link, link.c.dataset_id == dataset_table.c.id)
            .where(link.c.run_id == run_table.c.id, link.c.role == TRAINING)
        )
        if digests:
            query = query.where(dataset_table.c.digest.in_(digests))
        return query.correlate(run_table).scalar_subquery()

    def _shown(self, row: Any) -> Tried:
        metrics = self._connection.execute(
            select(metric_table.c.key, metric_table.c.last)
            .where(metric_table.c.run_id == row.id)
            .order_by(metric_table.c.key)
        )
        return Tried(
            id=row.public_id,
            name=row.name,
            author=row.author,
            finished_at=row.finished_at,
            metrics={key: to_wire(last) for key, last in metrics},
        )
