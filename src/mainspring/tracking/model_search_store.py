"""Finding the trained models that fit a filter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mainspring.core.grammar import Comparison
from mainspring.core.keyset import Slot, Values, beyond, bytewise, order_of
from mainspring.core.listed import among, keys_text
from mainspring.core.matching import Matching, all_of, chosen, millis, number
from mainspring.tracking.contract import TrainedModel
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.tables import (
    experiment_table,
    run_table,
    trained_model_metric_table,
    trained_model_table,
    trained_model_tag_table,
)

PREFIX = "m-"
"""What stands before the id in the words of the grammar; one may also be given without."""
STATES = {
    "pending": ("PENDING", "LOGGED_MODEL_PENDING", "pending"),
    "ready": ("READY", "LOGGED_MODEL_READY", "ready"),
    "failed": ("FAILED", "LOGGED_MODEL_UPLOAD_FAILED", "failed"),
}
"""The words of the grammar for each state."""
_T, _M = trained_model_table.c, trained_model_metric_table.c
_TAG = trained_model_tag_table.c
_AT: ColumnElement[int] = type_coerce(_M.at, BigInteger)
_TIMES: dict[str, ColumnElement[int]] = {
    "creation_timestamp": type_coerce(_T.recorded_at, BigInteger),
    "last_updated_timestamp": type_coerce(func.coalesce(_T.updated_at, _T.recorded_at), BigInteger),
}
_TEXTS: dict[str, ColumnElement[str]] = {
    "name": _T.name,
    "model_id": literal(PREFIX) + _T.public_id,
    "model_type": _T.type,
    "status": _T.state,
    "source_run_id": func.coalesce(run_table.c.public_id, _T.claimed_run),
    "experiment_id": experiment_table.c.public_id,
}


class text_at(FunctionElement[str]):  # noqa: N801
    """The text under a key of a document of texts; NULL if there is none."""

    inherit_cache = True
    type = Text()


@compiles(text_at)
def _text_at(element: FunctionElement[str], compiler: Any, **given: Any) -> str:
    document, key = (compiler.process(part, **given) for part in element.clauses)
    return f"(CAST({document} AS json) ->> CAST({key} AS text))"


@compiles(text_at, "sqlite")
def _text_at_sqlite(element: FunctionElement[str], compiler: Any, **given: Any) -> str:
    document, key = (compiler.process(part, **given) for part in element.clauses)
    entry = f"json_each({document}) AS entry"
    return f"(SELECT entry.value FROM {entry} WHERE entry.key = {key})"  # noqa: S608


OnDataset = tuple[str | None, str | None]
"""The name and the digest of a dataset that something was measured on; None for any."""


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """What to sort trained models by: an attribute, or their last value of a metric on a dataset."""

    key: str
    metric: bool
    ascending: bool
    dataset: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """What is asked."""

    experiments: Sequence[str]
    comparisons: Sequence[Comparison]
    datasets: Sequence[OnDataset]
    slots: Sequence[Slot]


class ModelSearchStore:
    """Searches the trained models of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._matching = Matching(connection.dialect.name)

    def slots(self, orders: Sequence[ModelOrder]) -> list[Slot]:
        """What a page is sorted by."""
        found = [slot for order in orders for slot in _slots(order)]
        if not any(order.key == "creation_timestamp" and not order.metric for order in orders):
            found.append(Slot(_TIMES["creation_timestamp"], int, ascending=False))
        return [*found, Slot(_T.id, int, ascending=False)]

    def page(
        self, question: ModelQuestion, after: Values | None, limit: int
    ) -> list[tuple[TrainedModel, Values]]:
        """At most so many trained models after the one with the values, each with its own."""
        conditions = [_T.workspace_id == self._workspace_id, _T.deleted_at.is_(None)]
        if question.experiments:
            wanted = sorted(set(question.experiments))
            conditions.append(among(experiment_table.c.public_id, keys_text(wanted)))
        on = _on_one_of(question.datasets)
        conditions += [self._condition(one, on) for one in question.comparisons]
        if question.datasets and not any(one.kind == "metric" for one in question.comparisons):
            conditions.append(_measured(on))
        if after is not None:
            conditions.append(beyond(question.slots, after))
        rows = self._connection.execute(
            select(_T.id, *(slot.expression for slot in question.slots))
            .join(experiment_table, experiment_table.c.id == _T.experiment_id)
            .outerjoin(run_table, run_table.c.id == _T.run_id)
            .where(all_of(conditions))
            .order_by(*order_of(question.slots))
            .limit(limit)
        ).all()
        store = ModelStore(self._connection, self._workspace_id)
        shown = store.by_keys([row[0] for row in rows])
        return [(model, tuple(row[1:])) for model, row in zip(shown, rows, strict=True)]

    def _condition(self, one: Comparison, on: ColumnElement[bool]) -> ColumnElement[bool]:
        if one.kind == "metric":
            return _measured(and_(on, _M.key == one.key, number(_M.value, one)))
        if one.kind == "param":
            value = text_at(type_coerce(_T.params, Text), literal(one.key))
            return self._matching.text(value, one)
        if one.kind == "tag":
            tag = select(_TAG.trained_model_id).where(
                _TAG.trained_model_id == _T.id,
                _TAG.key == one.key,
                self._matching.text(_TAG.value, one),
            )
            return tag.correlate(trained_model_table).exists()
        return self._attribute(one)

    def _attribute(self, one: Comparison) -> ColumnElement[bool]:
        if one.key in _TIMES:
            return millis(_TIMES[one.key], one)
        if one.key == "status":
            wanted = [state for state, words in STATES.items() if chosen(words, one)]
            return true() if len(wanted) == len(STATES) else _T.state.in_(wanted)
        return self._matching.text(
            _TEXTS[one.key], _prefixed(one) if one.key == "model_id" else one
        )


def _prefixed(one: Comparison) -> Comparison:
    """The comparison with MLflow's prefix before ids that were given without it."""
    if isinstance(one.value, tuple):
        return replace(one, value=tuple(map(_with_prefix, one.value)))
    return replace(one, value=_with_prefix(str(one.value)))


def _with_prefix(text: str) -> str:
    return f"{PREFIX}{text}" if re.fullmatch("[0-9a-f]{32}", text) else text


def _on_one_of(datasets: Sequence[OnDataset]) -> ColumnElement[bool]:
    if not datasets:
        return true()
    return or_(*(_on(*one) for one in datasets))


def _on(name: str | None, digest: str | None) -> ColumnElement[bool]:
    return and_(
        true() if name is None else _M.dataset_name == name,
        true() if digest is None else _M.dataset_digest == digest,
    )


def _measured(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    query: Select[Any] = select(_M.trained_model_id).where(_M.trained_model_id == _T.id, condition)
    return query.correlate(trained_model_table).exists()


def _slots(order: ModelOrder) -> list[Slot]:
    if not order.metric and order.key in _TIMES:
        return [Slot(_TIMES[order.key], int, order.ascending)]
    if not order.metric:
        column = _TEXTS[order.key]
        return [
            Slot(case((column == "", 1), else_=0), int),
            Slot(bytewise(column), str, order.ascending),
        ]
    value: ColumnElement[Any] = (
        select(_M.value)
        .where(_M.trained_model_id == _T.id, _M.key == order.key, _on(order.dataset, order.digest))
        .order_by(_AT.desc(), _M.step.desc(), _M.run_id.desc())
        .limit(1)
        .correlate(trained_model_table)
        .scalar_subquery()
    )
    return [
        Slot(case((value.is_(None), 1), else_=0), int),
        Slot(value, float, order.ascending),
    ]
