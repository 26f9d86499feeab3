"""The answers of finished requests: who asks again under the same id gets the first answer."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from mainspring.administration.tables import request_table


def stored_answer(
    connection: Connection, workspace_id: int, principal: int, request_id: str
) -> Any | None:
    """The stored answer of a finished request: its operation, body digest and response."""
    return connection.execute(
        select(
            request_table.c.operation, request_table.c.body_digest, request_table.c.response
        ).where(
            request_table.c.workspace_id == workspace_id,
            request_table.c.principal_id == principal,
            request_table.c.request_id == request_id,
        )
    ).one_or_none()


def store_answer(connection: Connection, row: dict[str, Any]) -> None:
    """Keep the answer of a request in the transaction of its change."""
    connection.execute(insert(request_table).values(**row))


def forget_answers(connection: Connection, workspace_id: int, before: dt.datetime) -> int:
    """Drop a workspace's answers of requests that nobody will repeat any more."""
    old = (request_table.c.workspace_id == workspace_id) & (request_table.c.recorded_at < before)
    return connection.execute(delete(request_table).where(old)).rowcount
