"""The rows of webhooks and of what they are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from mainspring.core.clock import from_micros, to_micros
from mainspring.core.database import NAME, WORDS, Json, Key, Moment, metadata
from mainspring.core.errors import NotFound
from mainspring.core.event_log import workspace_table
from mainspring.webhooks.contract import Attempt, Delivery, Webhook

webhook_table = Table(
    "webhook",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("events", Json, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    # As it was given: signing needs it. No operation, event or log tells it.
    Column("secret", Text),
    Column("created_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("deleted_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
)
delivery_table = Table(
    "webhook_delivery",
    metadata,
    Column("id", Key, primary_key=True),
    Column("webhook_id", Key, ForeignKey("webhook.id"), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("event", Text),
    Column("body", Text, nullable=False, info=WORDS),
    Column("state", Text, nullable=False),
    Column("attempts", Json, nullable=False),
    # When it is sent or, while somebody sends it, when that one is given up; NULL when it is over.
    Column("due_at", Moment),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_webhook_delivery_due", "due_at"),
    Index("ix_webhook_delivery_webhook_id", "webhook_id", "id"),
)
_LISTENING = (
    select(webhook_table.c.id, webhook_table.c.events)
    .where(
        webhook_table.c.workspace_id == bindparam("workspace"),
        webhook_table.c.status == "active",
        webhook_table.c.deleted_at.is_(None),
    )
    .order_by(webhook_table.c.id)
)
_ANYBODY = _LISTENING.limit(1)


def anybody_listens(connection: Connection, workspace_id: int) -> bool:
    """Whether the workspace has a webhook that is told of anything."""
    return connection.execute(_ANYBODY, {"workspace": workspace_id}).first() is not None


class WebhookStore:
    """Webhooks of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def add(self, values: Mapping[str, Any]) -> None:
        """A new webhook."""
        self._connection.execute(
            insert(webhook_table).values(**values, workspace_id=self._workspace_id)
        )

    def update(self, key: int, **values: Any) -> None:
        """Change one."""
        self._connection.execute(
            update(webhook_table).where(webhook_table.c.id == key).values(**values)
        )

    def row(self, public_id: str) -> Row[Any]:
        """One webhook."""
        row = self._connection.execute(
            select(webhook_table).where(
                webhook_table.c.workspace_id == self._workspace_id,
                webhook_table.c.public_id == public_id,
                webhook_table.c.deleted_at.is_(None),
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"no webhook {public_id!r} in this workspace", field="webhook")
        return row

    def rows(self, limit: int, before: int | None) -> list[Row[Any]]:
        """Webhooks, newest first."""
        query = (
            select(webhook_table)
            .where(
                webhook_table.c.workspace_id == self._workspace_id,
                webhook_table.c.deleted_at.is_(None),
            )
            .order_by(webhook_table.c.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(webhook_table.c.id < before)
        return [*self._connection.execute(query)]

    def listeners(self, topic: str) -> list[int]:
        """The webhooks that are told of a topic."""
        rows = self._connection.execute(_LISTENING, {"workspace": self._workspace_id})
        return [row.id for row in rows if topic in row.events]

    def add_deliveries(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """What webhooks are to be told."""
        self._connection.execute(insert(delivery_table), [{**row, "attempts": []} for row in rows])

    def deliveries(self, webhook: int, limit: int, before: int | None) -> list[Row[Any]]:
        """What a webhook was told, newest first."""
        query = (
            select(delivery_table)
            .where(delivery_table.c.webhook_id == webhook)
            .order_by(delivery_table.c.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(delivery_table.c.id < before)
        return [*self._connection.execute(query)]

    def delivery(self, public_id: str) -> Row[Any]:
        """One delivery, with its webhook."""
        row = self._connection.execute(
            select(delivery_table, webhook_table.c.name, webhook_table.c.public_id.label("webhook"))
            .join(webhook_table, webhook_table.c.id == delivery_table.c.webhook_id)
            .where(
                webhook_table.c.workspace_id == self._workspace_id,
                delivery_table.c.public_id == public_id,
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"no delivery {public_id!r} in this workspace", field="delivery")
        return row

    def drop_pending(self, webhook: int) -> int:
        """Forget to tell a webhook what it was not told yet."""
        table = delivery_table
        waiting = (table.c.webhook_id == webhook) & (table.c.state == "pending")
        done = self._connection.execute(
            update(table).where(waiting).values(state="dropped", due_at=None)
        )
        return done.rowcount

    def forget_before(self, webhooks: Sequence[int], moment: dt.datetime) -> None:
        """Forget what is over and old."""
        table = delivery_table
        old = table.c.webhook_id.in_(webhooks) & (table.c.recorded_at < moment)
        self._connection.execute(delete(table).where(old, table.c.due_at.is_(None)))


def due_webhooks(connection: Connection, now: dt.datetime) -> list[int]:
    """The webhooks, of any workspace, that something has to be sent to: who waits longest first."""
    query = (
        select(delivery_table.c.webhook_id)
        .where(delivery_table.c.due_at <= now)
        .group_by(delivery_table.c.webhook_id)
        .order_by(func.min(delivery_table.c.due_at))
    )
    return list(connection.scalars(query))


def take(
    connection: Connection, webhook: int, now: dt.datetime, lease: dt.timedelta
) -> Row[Any] | None:
    """Claim the oldest due delivery of a webhook by pushing its due time forward."""
    row = connection.execute(
        select(
            delivery_table,
            webhook_table.c.address,
            webhook_table.c.secret,
            webhook_table.c.public_id.label("webhook"),
            workspace_table.c.name.label("workspace"),
        )
        .join(webhook_table, webhook_table.c.id == delivery_table.c.webhook_id)
        .join(workspace_table, workspace_table.c.id == webhook_table.c.workspace_id)
        .where(delivery_table.c.webhook_id == webhook, delivery_table.c.due_at <= now)
        .order_by(delivery_table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=delivery_table)
    ).one_or_none()
    if row is not None:
        _update_delivery(connection, row.id, due_at=now + lease)
    return row


def note_attempt(
    connection: Connection, row: Row[Any], attempt: Attempt, state: str, due: dt.datetime | None
) -> None:
    """Write down how an attempt went, unless the delivery was dropped meanwhile."""
    told = {
        "at": to_micros(attempt.at),
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
    }
    table = delivery_table
    connection.execute(
        update(table)
        .where(table.c.id == row.id, table.c.state == "pending")
        .values(attempts=[*row.attempts, told], state=state, due_at=due)
    )


def _update_delivery(connection: Connection, key: int, **values: Any) -> None:
    table = delivery_table
    connection.execute(update(table).where(table.c.id == key).values(**values))


def webhook_of(row: Any) -> Webhook:
    """The webhook that a row holds."""
    return Webhook(
        id=row.public_id,
        name=row.name,
        address=row.address,
        events=row.events,
        description=row.description,
        status=row.status,
        signed=row.secret is not None,
        created_by=row.created_by,
        recorded_at=row.recorded_at,
        updated_at=row.updated_at,
    )


def delivery_of(row: Any, webhook: str) -> Delivery:
    """The delivery that a row holds."""
    attempts = [Attempt(**{**one, "at": from_micros(one["at"])}) for one in row.attempts]
    return Delivery(
        id=row.public_id,
        webhook=webhook,
        topic=row.topic,
        event=row.event,
        state=row.state,
        attempts=attempts,
        next_attempt_at=row.due_at,
        recorded_at=row.recorded_at,
    )
