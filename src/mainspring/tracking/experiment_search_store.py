"""Finding the experiments that fit a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, func, not_, select, type_coerce

from mainspring.core.grammar import Comparison, Order
from mainspring.core.keyset import Slot, Values, beyond, bytewise, order_of
from mainspring.core.matching import Matching, all_of, millis
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.experiment_store import ExperimentStore
from mainspring.tracking.search_contract import View
from mainspring.tracking.tables import experiment_table, experiment_tag_table

_AT_A_TIME = 500
_E, _T = experiment_table.c, experiment_tag_table.c
_TIMES: dict[str, ColumnElement[int]] = {
    "creation_time": type_coerce(_E.recorded_at, BigInteger),
    "last_update_time": type_coerce(func.coalesce(_E.updated_at, _E.recorded_at), BigInteger),
}
_NEWEST = (
    Order("attribute", "creation_time", ascending=False),
    Order("attribute", "experiment_id"),
)


class ExperimentSearchStore:
    """Searches the experiments of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._matching = Matching(connection.dialect.name)

    def slots(self, orders: Sequence[Order]) -> list[Slot]:
        """What a page is sorted by."""
        found = [_slot(order) for order in orders or _NEWEST]
        if not any(slot.expression is _E.id for slot in found):
            found.append(Slot(_E.id, int, ascending=False))
        return found

    def page(
        self,
        comparisons: Sequence[Comparison],
        view: View,
        slots: Sequence[Slot],
        after: Values | None,
        limit: int,
    ) -> list[tuple[Experiment, Values]]:
        """At most so many experiments after the one with the values, each with its own."""
        conditions = [_E.workspace_id == self._workspace_id, *map(self._condition, comparisons)]
        if view != "all":
            active = _E.deleted_at.is_(None)
            conditions.append(active if view == "active" else not_(active))
        if after is not None:
            conditions.append(beyond(slots, after))
        rows = self._connection.execute(
            select(experiment_table, *(slot.expression for slot in slots))
            .where(all_of(conditions))
            .order_by(*order_of(slots))
            .limit(limit)
        ).all()
        return [
            (experiment, tuple(row[-len(slots) :]))
            for place in range(0, len(rows), _AT_A_TIME)
            for experiment, row in self._shown(rows[place : place + _AT_A_TIME])
        ]

    def _shown(self, rows: Sequence[Any]) -> list[tuple[Experiment, Any]]:
        shown = ExperimentStore(self._connection, self._workspace_id).shown(rows)
        return list(zip(shown, rows, strict=True))

    def _condition(self, one: Comparison) -> ColumnElement[bool]:
        if one.kind == "tag":
            return self._tagged(one)
        if one.key in _TIMES:
            return millis(_TIMES[one.key], one)
        return self._matching.text(_E.name if one.key == "name" else _E.public_id, one)

    def _tagged(self, one: Comparison) -> ColumnElement[bool]:
        query = select(_T.experiment_id).where(_T.experiment_id == _E.id, _T.key == one.key)
        if one.comparator not in ("IS NULL", "IS NOT NULL"):
            query = query.where(self._matching.text(_T.value, one))
        there = query.correlate(experiment_table).exists()
        return not_(there) if one.comparator == "IS NULL" else there


def _slot(order: Order) -> Slot:
    if order.key in _TIMES:
        return Slot(_TIMES[order.key], int, order.ascending)
    if order.key == "experiment_id":
        # Ids say nothing; that of an earlier experiment is shown first.
        return Slot(_E.id, int, order.ascending)
    return Slot(bytewise(_E.name), str, order.ascending)
