"""The rows of what was measured of versions' engines."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.registry.tables import version_engine_table


class EngineStore:
    """The engines of versions, by the version's key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, version: int) -> Row[Any] | None:
        """What was measured of the version."""
        query = select(version_engine_table).where(version_engine_table.c.version_id == version)
        return self._connection.execute(query).one_or_none()

    def add(self, values: dict[str, Any]) -> bool:
        """Keep what was measured, unless something was; answers whether it is kept."""
        kept = (
            upsert(version_engine_table)
            .values(values)
            .on_conflict_do_nothing(index_elements=["version_id"])
            .returning(version_engine_table.c.version_id)
        )
        return self._connection.execute(kept).first() is not None
