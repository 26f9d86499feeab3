"""What refers to runs, trained models and files: as long as anything does, they stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Text, exists, or_, select, type_coerce

from mainspring.governance.retention import digests_in, ids_in
from mainspring.registry.tables import (
    model_table,
    promotion_table,
    version_engine_table,
    version_table,
)
from mainspring.retraining.store import retraining_policy_table, retraining_table
from mainspring.tracking.tables import (
    artifact_table,
    dataset_table,
    run_model_table,
    run_table,
    trained_model_table,
)

One = TypeVar("One")
AT_A_TIME = 500  # below SQLite's limit of bound values

_V, _R, _T = version_table.c, run_table.c, trained_model_table.c


class ReferenceStore:
    """References of one workspace; what was deleted after the moment may still be restored."""

    def __init__(self, connection: Connection, workspace_id: int, until: dt.datetime) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._until = until

    def held_runs(self, ids: Collection[str]) -> set[str]:
        """Those of the runs that must stay."""
        held = self._named_by_versions(_V.run, ids)
        children = select(_R.parent).where(_R.workspace_id == self._workspace_id, self._may_live())
        under_way = select(retraining_table.c.run).where(
            retraining_table.c.workspace_id == self._workspace_id,
            retraining_table.c.finished_at.is_(None),
        )
        held |= self._found(children, _R.parent, ids)
        return held | self._found(under_way, retraining_table.c.run, ids)

    def held_models(self, ids: Collection[str]) -> set[str]:
        """Those of the trained models that must stay: their own run alone does not keep them."""
        linked = (
            select(_T.public_id)
            .join(run_model_table, run_model_table.c.trained_model_id == _T.id)
            .join(run_table, _R.id == run_model_table.c.run_id)
            .where(
                _T.workspace_id == self._workspace_id,
                or_(_T.run_id.is_(None), _T.run_id != _R.id),
                self._may_live(),
            )
        )
        held = self._named_by_versions(_V.trained_model, ids)
        return held | self._found(linked, _T.public_id, ids)

    def named_files(self, digests: Collection[str]) -> set[str]:
        """Those of the files that something of this workspace names."""
        here = self._workspace_id
        columns = (
            (artifact_table.c.digest, artifact_table.c.workspace_id),
            (dataset_table.c.file, dataset_table.c.workspace_id),
            (retraining_policy_table.c.recipe_file, retraining_policy_table.c.workspace_id),
        )
        named: set[str] = set()
        for column, owner in columns:
            named |= self._found(select(column).where(owner == here), column, digests)
        conversions = self._versions(version_engine_table.c.onnx_digest).join(
            version_engine_table, version_engine_table.c.version_id == _V.id
        )
        named |= self._found(conversions, version_engine_table.c.onnx_digest, digests)
        left = set(digests) - named
        for document in self._documents() if left else ():
            named |= left & digests_in(document)
        return named

    def _documents(self) -> Iterator[str]:
        """The lists of files that versions and trained models hold."""
        of_models = select(type_coerce(_T.files, Text)).where(
            _T.workspace_id == self._workspace_id, _T.files != []
        )
        of_versions = self._versions(type_coerce(_V.files, Text)).where(_V.files != [])
        for query in (of_versions, of_models):
            yield from self._connection.execute(query.execution_options(yield_per=1000)).scalars()

    def _named_by_versions(self, column: Any, ids: Collection[str]) -> set[str]:
        """What versions name by its id, or by the address of their files."""
        if not ids:
            return set()
        addresses = self._versions(_V.source, _V.location).where(
            or_(_V.source != "", _V.location != "")
        )
        rows = self._connection.execute(addresses)
        return self._found(self._versions(column), column, ids) | (
            set(ids) & ids_in(text for row in rows for text in row)
        )

    def _versions(self, *columns: Any) -> Any:
        """Of the versions that keep what they are made of.

        Those that are there; those that were deleted a short while ago; those that ever stood
        before a gate, whose verdicts are about these files. A deployment serves no others.
        """
        return (
            select(*columns)
            .join(model_table, model_table.c.id == _V.model_id)
            .where(
                model_table.c.workspace_id == self._workspace_id,
                or_(
                    _V.deleted_at.is_(None),
                    _V.deleted_at > self._until,
                    exists().where(promotion_table.c.version_id == _V.id),
                ),
            )
        )

    def _may_live(self) -> ColumnElement[bool]:
        """Whether a run is there, or may be restored yet."""
        return or_(_R.deleted_at.is_(None), _R.deleted_at > self._until)

    def _found(self, query: Any, column: Any, values: Collection[str]) -> set[str]:
        found: set[str] = set()
        for part in parts(list(values)):
            found.update(self._connection.scalars(query.where(column.in_(part)).distinct()))
        return found


def parts(values: Sequence[One]) -> Iterable[Sequence[One]]:
    """The values, as many at a time as a statement takes."""
    return (values[start : start + AT_A_TIME] for start in range(0, len(values), AT_A_TIME))
