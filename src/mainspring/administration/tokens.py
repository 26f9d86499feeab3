"""What the server itself does for its own services, and to tokens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, insert, select, update

from mainspring.administration.tables import grant_table, principal_table, token_table


def retire_tokens(connection: Connection, kind: str, name: str, now: dt.datetime) -> None:
    """Make every token of a person, or of a service of ours, worthless."""
    owners = select(principal_table.c.id).where(
        principal_table.c.kind == kind,
        principal_table.c.name == name,
        principal_table.c.owner_id.is_(None),
    )
    connection.execute(
        update(token_table)
        .where(token_table.c.principal_id.in_(owners), token_table.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def touch_tokens(connection: Connection, used: Mapping[str, dt.datetime]) -> None:
    """Write down when each token, by its public id, was last used."""
    statement = (
        update(token_table)
        .where(token_table.c.public_id == bindparam("token"))
        .values(last_used_at=bindparam("at"))
    )
    if used:
        connection.execute(statement, [{"token": token, "at": at} for token, at in used.items()])


def admit_services(connection: Connection, workspace_id: int, by: str, now: dt.datetime) -> None:
    """Let our own services work in a new workspace, in the roles that they have elsewhere."""
    roles = connection.execute(
        select(grant_table.c.principal_id, grant_table.c.role)
        .join(principal_table, principal_table.c.id == grant_table.c.principal_id)
        .where(
            principal_table.c.kind == "service",
            # Service accounts are people's: they get roles by who may give them, here as elsewhere.
            principal_table.c.owner_id.is_(None),
            grant_table.c.workspace_id != workspace_id,
        )
        .distinct()
    ).all()
    rows = [
        {
            "workspace_id": workspace_id,
            "principal_id": row.principal_id,
            "role": row.role,
            "granted_by": by,
            "recorded_at": now,
        }
        for row in roles
    ]
    if rows:
        connection.execute(insert(grant_table), rows)
