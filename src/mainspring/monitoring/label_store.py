"""The rows of labels: each value that was told stays, the newest of a name counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from mainspring.monitoring.correction import Named, News, Told
from mainspring.monitoring.label_contract import (
    DEADLINE_HOURS,
    HORIZON_HOURS,
    Label,
    LabelRule,
    ReadLabels,
    StoredLabel,
)
from mainspring.monitoring.tables import label_rule_table, label_table

AT_ONCE = 450
"""Names in one query: below SQLite's limit of bound values, also where a name is two of them."""
T = TypeVar("T")

_TOLD = (
    label_table.c.id,
    label_table.c.request_id,
    label_table.c.entity_key,
    label_table.c.about,
    label_table.c.value,
    label_table.c.event_time,
)


class LabelStore:
    """The labels of one deployment."""

    def __init__(self, connection: Connection, deployment: int) -> None:
        self._connection = connection
        self._deployment = deployment

    def told(self, labels: Collection[Label]) -> dict[Named, list[Told]]:
        """What is kept of the names of the labels, the newest last."""
        found: dict[Named, list[Told]] = {}
        rows: list[Any] = []
        by_request = {label.request_id for label in labels if label.request_id is not None}
        for ids in _parts(sorted(by_request)):
            rows += self._told(label_table.c.request_id.in_(ids))
        by_entity = {(one.entity_key, one.about) for one in labels if one.entity_key is not None}
        entity = tuple_(label_table.c.entity_key, label_table.c.about)
        for pairs in _parts(sorted(by_entity)):
            rows += self._told(entity.in_(pairs))
        for row in rows:
            name = (row.request_id, row.entity_key, row.about)
            found.setdefault(name, []).append(Told(row.id, row.value, row.event_time))
        return found

    def _told(self, these: Any) -> Sequence[Any]:
        mine = label_table.c.deployment_id == self._deployment
        query = select(*_TOLD).where(mine, these).order_by(label_table.c.id)
        return self._connection.execute(query).all()

    def add(self, news: News, now: dt.datetime) -> None:
        """Keep what is news; what it corrects is marked and stays."""
        for keys in _parts(news.superseded):
            self._connection.execute(
                update(label_table).where(label_table.c.id.in_(keys)).values(superseded_at=now)
            )
        rows = [
            {
                "deployment_id": self._deployment,
                "request_id": label.request_id,
                "entity_key": label.entity_key,
                "about": label.about,
                "value": label.value,
                "event_time": label.event_time,
                "recorded_at": now,
                "superseded_at": now if corrected else None,
            }
            for label, corrected in news.kept
        ]
        if rows:
            self._connection.execute(insert(label_table), rows)

    def count(self) -> int:
        """How many names have a label."""
        query = select(func.count()).where(
            label_table.c.deployment_id == self._deployment, label_table.c.superseded_at.is_(None)
        )
        return int(self._connection.execute(query).scalar_one())

    def labels(self, request: ReadLabels) -> list[StoredLabel]:
        """Labels in the order in which they became known."""
        rows = self._connection.execute(self._wanted(select(label_table), request))
        names = StoredLabel.__struct_fields__
        return [StoredLabel(**{name: getattr(row, name) for name in names}) for row in rows]

    def columns(self, request: ReadLabels) -> list[Row[Any]]:
        """The same, as rows of plain values: times are microseconds."""
        table = label_table.c
        moments = (table.about, table.event_time, table.recorded_at)
        about, event_time, recorded_at = (
            type_coerce(one, BigInteger).label(one.name) for one in moments
        )
        chosen = select(
            table.id,
            table.request_id,
            table.entity_key,
            about,
            table.value,
            event_time,
            recorded_at,
        )
        return list(self._connection.execute(self._wanted(chosen, request)).all())

    def _wanted(self, query: Any, request: ReadLabels) -> Any:
        table = label_table.c
        query = query.where(table.deployment_id == self._deployment, *_bounds(request))
        if request.after:
            # By time, as the index has them: a page costs what it holds, wherever it begins.
            place = (
                select(type_coerce(table.event_time, BigInteger))
                .where(table.id == request.after, table.deployment_id == self._deployment)
                .scalar_subquery()
            )
            here = tuple_(type_coerce(table.event_time, BigInteger), table.id)
            query = query.where(here > tuple_(place, request.after))
        return query.order_by(table.event_time, table.id).limit(request.limit)

    def rule(self, deployment: str) -> LabelRule:
        """The rule that was set, or the default."""
        mine = label_rule_table.c.deployment_id == self._deployment
        row = self._connection.execute(select(label_rule_table).where(mine)).one_or_none()
        if row is None:
            return LabelRule(
                deployment=deployment,
                horizon_hours=HORIZON_HOURS,
                deadline_hours=DEADLINE_HOURS,
                set_by=None,
            )
        return LabelRule(
            deployment=deployment,
            horizon_hours=row.horizon_hours,
            deadline_hours=row.deadline_hours,
            set_by=row.set_by,
        )

    def put_rule(self, values: Mapping[str, Any]) -> None:
        """Set the one rule of the deployment."""
        mine = label_rule_table.c.deployment_id == self._deployment
        self._connection.execute(delete(label_rule_table).where(mine))
        fields = {**values, "deployment_id": self._deployment}
        self._connection.execute(insert(label_rule_table).values(fields))


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def _bounds(request: ReadLabels) -> list[Any]:
    table = label_table.c
    bounds: list[Any] = []
    if request.known_from is not None:
        bounds.append(table.event_time >= request.known_from)
    if request.known_until is not None:
        bounds.append(table.event_time < request.known_until)
    if request.recorded_after is not None:
        bounds.append(table.recorded_at > request.recorded_after)
    if request.as_known_at is not None:
        bounds.append(table.recorded_at <= request.as_known_at)
    if request.request_id is not None:
        bounds.append(table.request_id == request.request_id)
    if request.entity_key is not None:
        bounds.append(table.entity_key == request.entity_key)
    if not request.history:
        bounds.append(_newest(request.as_known_at))
    return bounds


def _newest(as_known_at: dt.datetime | None) -> Any:
    superseded = label_table.c.superseded_at
    if as_known_at is None:
        return superseded.is_(None)
    return or_(superseded.is_(None), superseded > as_known_at)
