"""The rows of a workspace's fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from mainspring.core.errors import Invalid
from mainspring.registry.field import Field, FieldOf, field_blockers
from mainspring.registry.tables import field_table


class FieldStore:
    """What one workspace wants said."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._here = field_table.c.workspace_id == workspace_id

    def rows(self) -> list[Row[Any]]:
        """By what they are of, and their names."""
        query = select(field_table).where(self._here).order_by(field_table.c.of, field_table.c.name)
        return list(self._connection.execute(query))

    def fields(self) -> list[Field]:
        """The same, as the rules see them."""
        return [
            Field(row.of, row.name, row.type, tuple(row.choices), row.required)
            for row in self.rows()
        ]

    def checked(self, of: FieldOf, tags: Mapping[str, str]) -> None:
        """Refuse values that are not of their field's type."""
        for field in self.fields():
            if field.of == of and field.name in tags:
                reasons = field_blockers(field, tags[field.name])
                if reasons:
                    raise Invalid(reasons[0], field="value")

    def put(self, field: Field, by: str, now: dt.datetime) -> None:
        """Declare a field."""
        self.drop(field.of, field.name)
        values = {
            "of": field.of,
            "name": field.name,
            "type": field.type,
            "choices": list(field.choices),
            "required": field.required,
            "set_by": by,
            "recorded_at": now,
        }
        statement = insert(field_table).values(**values, workspace_id=self._workspace_id)
        self._connection.execute(statement)

    def drop(self, of: FieldOf, name: str) -> bool:
        """Ask for a field no more; answers whether it was there."""
        same = self._here & (field_table.c.of == of) & (field_table.c.name == name)
        return self._connection.execute(delete(field_table).where(same)).rowcount > 0
