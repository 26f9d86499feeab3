"""The rows of groups and denials of one workspace."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from mainspring.administration.group_contract import Denial, PeopleGroup
from mainspring.administration.tables import (
    denial_table,
    group_member_table,
    group_role_table,
    group_table,
    principal_table,
)
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.text import closest


def group_names(connection: Connection, workspace_id: int) -> list[str]:
    """The groups of a workspace."""
    query = select(group_table.c.name).where(group_table.c.workspace_id == workspace_id)
    return list(connection.scalars(query))


class GroupStore:
    """Groups of one workspace: another's are not seen, whatever people are in both."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def groups(self) -> list[PeopleGroup]:
        """Every group by name."""
        rows = self._connection.execute(
            select(group_table)
            .where(group_table.c.workspace_id == self._workspace_id)
            .order_by(group_table.c.name)
        ).all()
        return [self._shown(row) for row in rows]

    def group(self, name: str) -> PeopleGroup:
        """One group."""
        return self._shown(self._row(name))

    def key(self, name: str) -> int:
        """The key of a group that must exist here."""
        return int(self._row(name).id)

    def create(self, name: str, now: dt.datetime) -> None:
        """A new group."""
        here = group_table.c.workspace_id == self._workspace_id
        if self._there(group_table, here & (group_table.c.name == name)):
            raise Conflict(f"group {name!r} exists", field="name")
        row = {"workspace_id": self._workspace_id, "name": name, "recorded_at": now}
        self._connection.execute(insert(group_table).values(row))

    def delete(self, key: int) -> None:
        """Remove a group and all that hangs on it."""
        for table in (group_member_table, group_role_table, denial_table):
            self._connection.execute(delete(table).where(table.c.group_id == key))
        self._connection.execute(delete(group_table).where(group_table.c.id == key))

    def put(self, table: Table, same: dict[str, Any], more: dict[str, Any]) -> bool:
        """Add a row unless there is the same; answers whether it is new."""
        if self._there(table, _same(table, same)):
            return False
        self._connection.execute(insert(table).values({**same, **more}))
        return True

    def take(self, table: Table, same: dict[str, Any]) -> bool:
        """Remove a row; answers whether it was there."""
        return self._connection.execute(delete(table).where(_same(table, same))).rowcount > 0

    def is_member(self, group: int, principal: int) -> bool:
        """Whether a person is in a group."""
        same = {"group_id": group, "principal_id": principal}
        return self._there(group_member_table, _same(group_member_table, same))

    def denials(self) -> list[Denial]:
        """What is denied here, in the order in which it was."""
        rows = self._connection.execute(
            select(
                denial_table,
                principal_table.c.name.label("person"),
                group_table.c.name.label("group"),
            )
            .outerjoin(principal_table, principal_table.c.id == denial_table.c.principal_id)
            .outerjoin(group_table, group_table.c.id == denial_table.c.group_id)
            .where(denial_table.c.workspace_id == self._workspace_id)
            .order_by(denial_table.c.id)
        )
        names = Denial.__struct_fields__
        return [Denial(**{name: getattr(row, name) for name in names}) for row in rows]

    def _row(self, name: str) -> Any:
        rows = self._connection.execute(
            select(group_table).where(group_table.c.workspace_id == self._workspace_id)
        ).all()
        found = next((row for row in rows if row.name == name), None)
        if found is None:
            near = closest(name, [row.name for row in rows])
            raise NotFound(f"no group named {name!r}{near}", field="group")
        return found

    def _shown(self, row: Any) -> PeopleGroup:
        members = (
            select(principal_table.c.name)
            .join(group_member_table, group_member_table.c.principal_id == principal_table.c.id)
            .where(group_member_table.c.group_id == row.id)
            .order_by(principal_table.c.name)
        )
        roles = select(group_role_table.c.role).where(group_role_table.c.group_id == row.id)
        denied = select(denial_table.c.verb).where(denial_table.c.group_id == row.id)
        return PeopleGroup(
            name=row.name,
            members=list(self._connection.scalars(members)),
            roles=sorted(self._connection.scalars(roles)),
            denied=sorted(self._connection.scalars(denied)),
            recorded_at=row.recorded_at,
        )

    def _there(self, table: Table, condition: ColumnElement[bool]) -> bool:
        return self._connection.execute(select(table).where(condition).limit(1)).first() is not None


def _same(table: Table, values: dict[str, Any]) -> ColumnElement[bool]:
    conditions = [table.c[name].is_not_distinct_from(value) for name, value in values.items()]
    found: ColumnElement[bool] = conditions[0]
    for one in conditions[1:]:
        found &= one
    return found
