"""By whose hand a credential came about: whoever made it for somebody else can act in their name."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from mainspring.administration.tables import password_table, principal_table, token_table
from mainspring.core.access import Actor


class Given(NamedTuple):
    """Who else knows a credential, by key and name, and since when."""

    key: int
    name: str
    at: dt.datetime


def given(connection: Connection, actor: Actor) -> Given | None:
    """Who gave the actor what they signed in with; None if it came from their own hands."""
    table, here = _credential(actor)
    row: Any = connection.execute(
        select(table.c.given_by, principal_table.c.name, table.c.given_at)
        .join(principal_table, principal_table.c.id == table.c.given_by)
        .where(here)
    ).one_or_none()
    return None if row is None else Given(*row)


def made_by(connection: Connection, actor: Actor, owner: int, now: dt.datetime) -> dict[str, Any]:
    """What is written down of a credential that the actor makes for a person.

    What people make for themselves is as good as what they make it with, and not better: else a
    credential from another's hand could be exchanged for one that seems to be their own.
    """
    if actor.key != owner:
        return {"given_by": actor.key, "given_at": now}
    known = given(connection, actor)
    return {"given_by": known.key if known else None, "given_at": known.at if known else None}


def expiry(connection: Connection, actor: Actor) -> dt.datetime | None:
    """When the token ends that the actor signed in with; None for one without an end, or a password."""
    if actor.token is None:
        return None
    query = select(token_table.c.expires_at).where(token_table.c.public_id == actor.token)
    return connection.scalars(query).one_or_none()


def _credential(actor: Actor) -> tuple[Any, Any]:
    if actor.token is not None:
        return token_table, token_table.c.public_id == actor.token
    return password_table, password_table.c.principal_id == actor.key
