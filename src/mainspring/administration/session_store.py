"""The rows of sessions: hashes of what is in cookies, and until when each is good."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from mainspring.administration.tables import password_table, session_table, token_table
from mainspring.core.settings import read_number

HOURS, IDLE_MINUTES = 12, 120


def lifetime() -> dt.timedelta:
    """How long a session is good at the most."""
    return dt.timedelta(hours=read_number("MAINSPRING_SESSION_HOURS", HOURS))


def patience() -> dt.timedelta:
    """How long it stays good while nothing is asked with it."""
    return dt.timedelta(minutes=read_number("MAINSPRING_SESSION_IDLE_MINUTES", IDLE_MINUTES))


class SessionStore:
    """Sessions, which belong to people and not to workspaces."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def token(self, public_id: str) -> Any:
        """The row of a valid token."""
        return self._connection.execute(
            select(token_table).where(token_table.c.public_id == public_id)
        ).one()

    def password(self, principal: int) -> Any | None:
        """The row of a person's password, if they have one."""
        return self._connection.execute(
            select(password_table).where(password_table.c.principal_id == principal)
        ).one_or_none()

    def add(self, row: Mapping[str, Any], now: dt.datetime) -> None:
        """A new session; those that are over are forgotten."""
        over = (session_table.c.expires_at <= now) | (session_table.c.idle_until <= now)
        self._connection.execute(delete(session_table).where(over))
        self._connection.execute(insert(session_table).values(**row))

    def end(self, public_id: str) -> int:
        """Forget a session; answers how many there were."""
        mine = session_table.c.public_id == public_id
        return self._connection.execute(delete(session_table).where(mine)).rowcount

    def end_all(self, principal: int) -> int:
        """Forget all of a person; answers how many there were."""
        theirs = session_table.c.principal_id == principal
        return self._connection.execute(delete(session_table).where(theirs)).rowcount


def touch_sessions(connection: Connection, used: Mapping[str, dt.datetime]) -> None:
    """Write down when each session, by its public id, was last used: it is good for a while again."""
    statement = (
        update(session_table)
        .where(session_table.c.public_id == bindparam("session"))
        .values(last_used_at=bindparam("at"), idle_until=bindparam("until"))
    )
    idle = patience()
    rows = [{"session": key, "at": at, "until": at + idle} for key, at in used.items()]
    if rows:
        connection.execute(statement, rows)
