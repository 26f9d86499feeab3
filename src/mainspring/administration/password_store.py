"""The rows of passwords: hashes, and where each was made."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.administration.tables import password_table, principal_table


def stored_password(connection: Connection, person: str) -> Any | None:
    """The hash, mark and workspace of a person's password; None for those who have none."""
    return connection.execute(
        select(password_table)
        .join(principal_table, principal_table.c.id == password_table.c.principal_id)
        .where(
            principal_table.c.kind == "person",
            principal_table.c.name == person,
            principal_table.c.disabled_at.is_(None),
        )
    ).one_or_none()


def store_password(
    connection: Connection, principal: int, values: dict[str, Any], now: dt.datetime
) -> None:
    """Put the hash in the place of the one before."""
    row = {**values, "recorded_at": now}
    connection.execute(
        upsert(password_table)
        .values(principal_id=principal, **row)
        .on_conflict_do_update(index_elements=["principal_id"], set_=row)
    )
