"""The rows of labels: each value that was told stays, the newest of a name counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    column,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from mainspring.core.clock import to_micros
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
"""Keys in one statement: below SQLite's limit of bound values."""

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
        self._sqlite = connection.dialect.name == "sqlite"

    def told(self, labels: Collection[Label]) -> dict[Named, list[Told]]:
        """What is kept of the names of the labels, the newest last."""
        ids = list({one.request_id for one in labels if one.request_id is not None})
        entities = {
            (one.entity_key, to_micros(one.about)) for one in labels if one.about is not None
        }
        rows: list[Any] = []
        if ids:
            rows += self._kept(*self._asked_ids(ids))
        if entities:
            rows += self._kept(*self._asked_entities(list(entities)))
        found: dict[Named, list[Told]] = {}
        for row in rows:
            name = (row.request_id, row.entity_key, row.about)
            found.setdefault(name, []).append(Told(row.id, row.value, row.event_time))
        return found

    def _kept(self, asked: Any, same: Any) -> Sequence[Any]:
        mine = label_table.c.deployment_id == self._deployment
        query = select(*_TOLD).join(asked, same).where(mine).order_by(label_table.c.id)
        return self._connection.execute(query).all()

    # All names are one bound value each: a list of thousands would be compiled anew each time, and
    # PostgreSQL, while it has no fresh statistics, compares each row with all of a list.

    def _asked_ids(self, ids: list[str]) -> tuple[Any, Any]:
        """The request ids as a table, and how it is joined."""
        if self._sqlite:
            asked = func.json_each(_json(ids)).table_valued("value", name="asked")
            return asked, asked.c.value == label_table.c.request_id
        asked = _unnest(("request_id", Text, ids))
        return asked, asked.c.request_id == label_table.c.request_id

    def _asked_entities(self, entities: list[tuple[str | None, int]]) -> tuple[Any, Any]:
        """The entities and moments as a table, and how it is joined."""
        about = type_coerce(label_table.c.about, BigInteger)
        if self._sqlite:
            asked = func.json_each(_json(entities)).table_valued("value", name="asked")
            key, moment = (func.json_extract(asked.c.value, f"$[{at}]") for at in (0, 1))
            return asked, and_(key == label_table.c.entity_key, moment == about)
        keys, moments = (list(values) for values in zip(*entities, strict=True))
        asked = _unnest(("entity_key", Text, keys), ("about", BigInteger, moments))
        key, moment = asked.c.entity_key, asked.c.about
        return asked, and_(key == label_table.c.entity_key, moment == about)

    def add(self, news: News, now: dt.datetime) -> None:
        """Keep what is news; what it corrects is marked and stays."""
        for start in range(0, len(news.superseded), AT_ONCE):
            keys = news.superseded[start : start + AT_ONCE]
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

    def put_rule(self, rule: Mapping[str, Any]) -> None:
        """Set the one rule of the deployment."""
        mine = label_rule_table.c.deployment_id == self._deployment
        self._connection.execute(delete(label_rule_table).where(mine))
        fields = {**rule, "deployment_id": self._deployment}
        self._connection.execute(insert(label_rule_table).values(fields))


def _json(names: object) -> str:
    return msgspec.json.encode(names).decode()


def _unnest(*columns: tuple[str, Any, list[Any]]) -> Any:
    """Arrays as the columns of a table, in PostgreSQL."""
    arrays = [bindparam(None, values, type_=ARRAY(kind)) for _, kind, values in columns]
    names = [column(name, kind) for name, kind, _ in columns]
    return func.unnest(*arrays).table_valued(*names, name="asked").render_derived()


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
