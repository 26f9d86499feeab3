"""What runs are sorted by, as SQL; the same slots however the runs are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, and_, case, func, literal, select
from sqlalchemy import type_coerce as taken_as

from mainspring.core.grammar import Kind, Order
from mainspring.core.keyset import Slot, bytewise
from mainspring.tracking.tables import (
    experiment_table,
    metric_table,
    param_table,
    run_table,
    tag_table,
)

VALUED, NOT_A_NUMBER, MISSING = 0, 1, 2
"""The ranks of a value that can be missing: in either direction, NaN and nothing come last."""
_COLUMNS: dict[Kind, str] = {
    "first_metric": "first",
    "min_metric": "minimum",
    "max_metric": "maximum",
    "best_metric": "best",
    "count_metric": "count",
    "metric": "last",
}
_R, _E = run_table.c, experiment_table.c
STARTED: ColumnElement[int] = taken_as(_R.started_at, BigInteger)
ENDED: ColumnElement[int] = taken_as(_R.ended_at, BigInteger)
_ROOT = case(
    (_E.artifact_location == "", literal("mlflow-artifacts:/") + _E.public_id),
    else_=func.rtrim(_E.artifact_location, "/"),
)
ARTIFACT_URI: ColumnElement[str] = (
    select(_ROOT + literal("/") + _R.public_id + literal("/artifacts"))
    .where(_E.id == _R.experiment_id)
    .correlate(run_table)
    .scalar_subquery()
)
TEXTS: dict[str, ColumnElement[str]] = {
    "run_id": _R.public_id,
    "run_name": _R.name,
    "parent_run_id": _R.parent,
    "user_id": _R.user,
    "status": _R.status,
    "artifact_uri": ARTIFACT_URI,
}


def table_of(kind: Kind) -> FromClause:
    """The table that holds the values of the kind."""
    tables: dict[str, FromClause] = {"param": param_table, "tag": tag_table}
    return tables.get(kind, metric_table)


def value_of(kind: Kind, source: FromClause) -> ColumnElement[Any]:
    """The column of a row of that table which is the value."""
    return source.c[_COLUMNS.get(kind, "value")]


@dataclass(frozen=True, slots=True)
class Sorting:
    """The slots of a search, and the tables that they read beside the runs."""

    slots: list[Slot]
    sources: list[tuple[Order, FromClause]]

    def joined(self, start: FromClause, first: int = 0) -> FromClause:
        """The tables from the given one on, joined so that a run without a value stays."""
        for order, source in self.sources[first:]:
            same = and_(source.c.run_id == _R.id, source.c.key == order.key)
            start = start.outerjoin(source, same)
        return start


def sorting(orders: Sequence[Order]) -> Sorting:
    """What is asked for, then the newest first, then by id."""
    slots: list[Slot] = []
    sources: list[tuple[Order, FromClause]] = []
    for place, order in enumerate(orders):
        if order.kind == "attribute":
            slots += _attribute_slots(order)
            continue
        source = table_of(order.kind).alias(f"sort_{place}")
        sources.append((order, source))
        slots += _value_slots(order, source)
    named = {order.key for order in orders if order.kind == "attribute"}
    if "start_time" not in named:
        slots.append(Slot(STARTED, int, ascending=False))
    if "run_id" not in named:
        slots.append(Slot(bytewise(_R.public_id), str))
    return Sorting(slots, sources)


def _value_slots(order: Order, source: FromClause) -> list[Slot]:
    column = value_of(order.kind, source)
    rank = case(
        (source.c.run_id.is_(None), MISSING), (column.is_(None), NOT_A_NUMBER), else_=VALUED
    )
    if order.kind in ("param", "tag"):
        return [Slot(rank, int), Slot(bytewise(column), str, order.ascending)]
    kind: type[Any] = int if order.kind == "count_metric" else float
    return [Slot(rank, int), Slot(column, kind, order.ascending)]


def _attribute_slots(order: Order) -> list[Slot]:
    if order.key == "start_time":
        return [Slot(STARTED, int, order.ascending)]
    if order.key == "end_time":
        rank = case((ENDED.is_(None), MISSING), else_=VALUED)
        return [Slot(rank, int), Slot(ENDED, int, order.ascending)]
    return [Slot(bytewise(TEXTS[order.key]), str, order.ascending)]
