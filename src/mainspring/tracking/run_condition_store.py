"""The conditions of a filter on runs, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, not_, select, true

from mainspring.core.grammar import Comparison, Kind
from mainspring.core.keyset import still
from mainspring.core.listed import among, keys_text
from mainspring.core.matching import Matching, all_of, chosen, millis, number
from mainspring.tracking.run_sorting_store import ENDED, STARTED, TEXTS, table_of, value_of
from mainspring.tracking.search_contract import View
from mainspring.tracking.tables import dataset_table, run_dataset_table, run_table

STATUSES = {
    "running": ("RUNNING",),
    "scheduled": ("SCHEDULED",),
    "finished": ("FINISHED",),
    "failed": ("FAILED",),
    "killed": ("KILLED",),
    # Who has no word for a crash sees a failure.
    "crashed": ("FAILED", "CRASHED"),
}
"""The words of the grammar for each state of a run."""
_IN_ORDER = frozenset({"=", "<", "<=", ">", ">=", "IN"})
"""The comparators that an index of values answers by itself."""
_R = run_table.c


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose runs are searched."""

    workspace: int
    experiments: tuple[int, ...] | None
    """None for all of the workspace."""
    view: View

    def conditions(self, *, leading: bool) -> list[ColumnElement[bool]]:
        """Whether a run is searched; `leading` if the database should begin with these runs."""
        column = _R.workspace_id if self.experiments is None else _R.experiment_id
        wanted = (self.workspace,) if self.experiments is None else self.experiments
        owner: ColumnElement[Any] = column if leading else still(column)
        found: list[ColumnElement[bool]] = [
            owner == wanted[0] if len(wanted) == 1 else among(owner, keys_text(wanted))
        ]
        if self.view != "all":
            active = _R.deleted_at.is_(None)
            found.append(active if self.view == "active" else not_(active))
        if self.view != "active":
            found.append(_R.collected_at.is_(None))
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """All that is asked of one metric, parameter or tag: a run has one row for it, or none."""

    kind: Kind
    key: str
    comparisons: tuple[Comparison, ...]

    @property
    def absent(self) -> bool:
        """Whether runs are wanted that do not have it."""
        return any(one.comparator == "IS NULL" for one in self.comparisons)

    @property
    def impossible(self) -> bool:
        """Whether runs are wanted that have it and do not have it."""
        return self.absent and len(self.comparisons) > 1

    @property
    def table(self) -> FromClause:
        """Where the rows are."""
        return table_of(self.kind)


class Conditions:
    """Writes the conditions of one filter."""

    def __init__(
        self, matching: Matching, workspace_id: int, comparisons: Sequence[Comparison]
    ) -> None:
        self._matching = matching
        self._workspace_id = workspace_id
        by_key: dict[tuple[FromClause, str], list[Comparison]] = {}
        self._others: list[Comparison] = []
        for one in dict.fromkeys(comparisons):
            if one.kind in ("attribute", "dataset"):
                self._others.append(one)
            else:
                by_key.setdefault((table_of(one.kind), one.key), []).append(one)
        self.groups = [
            Group(found[0].kind, found[0].key, tuple(found)) for found in by_key.values()
        ]

    @property
    def names_runs(self) -> bool:
        """Whether the filter says by their ids which runs are meant."""
        return any(one.key == "run_id" and one.comparator in ("=", "IN") for one in self._others)

    def on_runs(self) -> list[ColumnElement[bool]]:
        """The conditions on attributes and datasets."""
        return [
            self._attribute(one) if one.kind == "attribute" else self._dataset(one)
            for one in self._others
        ]

    def on_row(
        self, group: Group, source: FromClause, *, in_order: bool | None = None
    ) -> list[ColumnElement[bool]]:
        """The conditions on a group's row: all, or those that an index answers, or the others."""
        return [
            self._value(one, source)
            for one in group.comparisons
            if one.comparator not in ("IS NULL", "IS NOT NULL")
            and in_order in (None, _is_in_order(one))
        ]

    def rows(self, group: Group, *columns: Any) -> Any:
        """A SELECT of a group's rows."""
        table = group.table
        return select(*columns).where(table.c.key == group.key, all_of(self.on_row(group, table)))

    def looked_up(self, group: Group) -> ColumnElement[bool]:
        """Whether the run has a row of the group, looked up run by run."""
        table = group.table
        if group.absent:
            here = select(table.c.run_id).where(table.c.run_id == _R.id, table.c.key == group.key)
            return not_(here.correlate(run_table).exists())
        query = self.rows(group, table.c.run_id).where(table.c.run_id == _R.id)
        found: ColumnElement[bool] = query.correlate(run_table).exists()
        return found

    def listed(self, group: Group) -> ColumnElement[bool]:
        """Whether the run is in a list of all that have a row of the group, made once."""
        return still(_R.id).in_(self.rows(group, group.table.c.run_id))

    def _value(self, one: Comparison, source: FromClause) -> ColumnElement[bool]:
        column = value_of(one.kind, source)
        if one.kind in ("param", "tag"):
            return self._matching.text(column, one, indexed=True)
        return number(column, one)

    def _attribute(self, one: Comparison) -> ColumnElement[bool]:
        if one.key in ("start_time", "end_time"):
            return millis(STARTED if one.key == "start_time" else ENDED, one)
        if one.key == "status":
            wanted = [status for status, words in STATUSES.items() if chosen(words, one)]
            return true() if len(wanted) == len(STATUSES) else still(_R.status).in_(wanted)
        if one.key == "run_id" and one.comparator in ("=", "IN"):
            other = run_table.alias("named")
            named = select(other.c.id).where(
                other.c.workspace_id == self._workspace_id,
                self._matching.text(other.c.public_id, one),
            )
            return _R.id.in_(named)
        return self._matching.text(TEXTS[one.key], one)

    def _dataset(self, one: Comparison) -> ColumnElement[bool]:
        link, data = run_dataset_table.c, dataset_table.c
        column = link.role if one.key == "context" else data[one.key]
        query = (
            select(link.run_id)
            .join(dataset_table, data.id == link.dataset_id)
            .where(data.workspace_id == self._workspace_id, self._matching.text(column, one))
        )
        if one.key == "context":
            query = query.where(link.role != "")
        return still(_R.id).in_(query)


def _is_in_order(one: Comparison) -> bool:
    return one.comparator in _IN_ORDER and one.kind in ("metric", "param", "tag")
