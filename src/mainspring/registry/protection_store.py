"""The rows of protected aliases."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from mainspring.registry.tables import protected_alias_table


class ProtectionStore:
    """The aliases of one workspace that follow a stage."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._here = protected_alias_table.c.workspace_id == workspace_id
        self._workspace_id = workspace_id

    def rows(self) -> list[Row[Any]]:
        """By their names."""
        query = select(protected_alias_table).where(self._here)
        return list(self._connection.execute(query.order_by(protected_alias_table.c.alias)))

    def following(self, stage: str) -> list[str]:
        """The aliases that follow a stage."""
        return [row.alias for row in self.rows() if row.stage == stage]

    def stage_of(self, alias: str) -> str | None:
        """The stage that an alias follows, if it is protected."""
        return next((row.stage for row in self.rows() if row.alias == alias), None)

    def put(self, alias: str, stage: str, by: str, now: dt.datetime) -> None:
        """Let an alias follow a stage."""
        self.drop(alias)
        values = {"workspace_id": self._workspace_id, "alias": alias, "stage": stage}
        self._connection.execute(
            insert(protected_alias_table).values(**values, set_by=by, recorded_at=now)
        )

    def drop(self, alias: str) -> bool:
        """Let an alias be set by hand again; answers whether it was protected."""
        same = self._here & (protected_alias_table.c.alias == alias)
        return self._connection.execute(delete(protected_alias_table).where(same)).rowcount > 0
