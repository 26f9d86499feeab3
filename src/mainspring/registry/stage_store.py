"""The stages of a workspace: those that all have, and its own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from mainspring.core.errors import Invalid
from mainspring.core.text import closest
from mainspring.core.work import Work
from mainspring.registry.promotion import GATED, STAGES
from mainspring.registry.tables import declared_stage_table


class StageStore:
    """The stages of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._here = declared_stage_table.c.workspace_id == workspace_id

    def rows(self) -> list[Row[Any]]:
        """Its own, in the order of their names."""
        query = select(declared_stage_table).where(self._here)
        return list(self._connection.execute(query.order_by(declared_stage_table.c.name)))

    def names(self) -> list[str]:
        """All that there are."""
        own = [row.name for row in self.rows()]
        return [*STAGES[:-1], *own, STAGES[-1]]

    def gated(self) -> list[str]:
        """Those that a gate can stand before."""
        return [*GATED, *(row.name for row in self.rows())]

    def put(self, name: str, description: str, by: str, now: dt.datetime) -> None:
        """Declare a stage."""
        self.drop(name)
        values = {"name": name, "description": description, "set_by": by, "recorded_at": now}
        statement = insert(declared_stage_table)
        self._connection.execute(statement.values(**values, workspace_id=self._workspace_id))

    def drop(self, name: str) -> bool:
        """Forget a stage; answers whether it was there."""
        same = self._here & (declared_stage_table.c.name == name)
        return self._connection.execute(delete(declared_stage_table).where(same)).rowcount > 0


def checked_target(work: Work, stage: str) -> None:
    """Refuse a stage that is not there, or that no gate leads to."""
    _known(stage, StageStore(work.connection, work.workspace_id).gated())


def checked_stage(work: Work, stage: str) -> None:
    """Refuse a stage that is not there."""
    _known(stage, StageStore(work.connection, work.workspace_id).names())


def _known(stage: str, names: list[str]) -> None:
    if stage not in names:
        raise Invalid(
            f"no stage {stage!r}{closest(stage, names)}; there are: {', '.join(names)}",
            field="stage",
            fix=f"an administrator declares another: mainspring stages declare {stage}",
        )
