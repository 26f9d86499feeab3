"""The rows of service accounts, and who answers for what each does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select, update

from mainspring.administration.account_contract import ServiceAccount
from mainspring.administration.store import AdministrationStore
from mainspring.administration.tables import ownership_table, principal_table, token_table
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.text import closest

_ACCOUNT = principal_table.alias("account")
_ANSWERING = principal_table.alias("answering")
_IS_ACCOUNT = principal_table.c.owner_id.is_not(None)
_OWNERS = select(_ACCOUNT.c.name.label("account"), principal_table.c.name.label("owner")).join(
    principal_table, principal_table.c.id == _ACCOUNT.c.owner_id
)


class AccountStore:
    """Service accounts, which all workspaces share as they share people."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._people = AdministrationStore(connection, workspace_id)

    def accounts(self) -> list[ServiceAccount]:
        """Every account by name, with its roles here."""
        found = self._people.people(_IS_ACCOUNT)
        owners = {str(row.account): str(row.owner) for row in self._connection.execute(_OWNERS)}
        answering = _answering(self._connection, owners)
        return [
            ServiceAccount(
                name=one.name,
                owner=owners[one.name],
                answering=sorted(answering[one.name]),
                roles=one.roles,
                groups=one.groups,
                denied=one.denied,
                disabled=one.disabled,
                recorded_at=one.recorded_at,
            )
            for one in found
        ]

    def account(self, name: str) -> ServiceAccount:
        """One account."""
        return next(one for one in self.accounts() if one.name == name)

    def row(self, name: str) -> Any:
        """The row of an account that must exist."""
        row = self._connection.execute(
            select(principal_table).where(_IS_ACCOUNT, principal_table.c.name == name)
        ).one_or_none()
        if row is None:
            names = self._connection.scalars(select(principal_table.c.name).where(_IS_ACCOUNT))
            near = closest(name, names.all())
            raise NotFound(f"no service account named {name!r}{near}", field="account")
        return row

    def owner_key(self, name: str) -> int:
        """The key of a person who can answer for an account: one who can sign in."""
        key = self._people.principal_key("person", name)
        disabled = select(principal_table.c.disabled_at).where(principal_table.c.id == key)
        if self._connection.scalars(disabled).one() is not None:
            raise Conflict(
                f"{name!r} is disabled and cannot answer for a service account",
                field="owner",
                fix="name a person who can sign in",
            )
        return key

    def give(self, account: int, owner: int, by: str, now: dt.datetime) -> None:
        """Make the person its owner, from now on and in what is remembered."""
        self._connection.execute(
            update(principal_table).where(principal_table.c.id == account).values(owner_id=owner)
        )
        row = {"account_id": account, "owner_id": owner, "given_by": by, "recorded_at": now}
        self._connection.execute(insert(ownership_table).values(row))

    def disable(self, account: int, now: dt.datetime) -> None:
        """Take every right from it."""
        self._connection.execute(
            update(principal_table).where(principal_table.c.id == account).values(disabled_at=now)
        )

    def end_tokens(self, account: int, now: dt.datetime) -> list[str]:
        """Make its tokens worthless, wherever they were made; answers their ids."""
        valid = (token_table.c.principal_id == account) & token_table.c.revoked_at.is_(None)
        ids = self._connection.scalars(select(token_table.c.public_id).where(valid)).all()
        self._connection.execute(update(token_table).where(valid).values(revoked_at=now))
        return sorted(ids)


def answerable(connection: Connection, names: Iterable[str]) -> set[str]:
    """The names, and with each service account among them everybody who answers for what it does."""
    known = set(names)
    return known.union(*_answering(connection, known).values())


def _answering(connection: Connection, names: Iterable[str]) -> dict[str, set[str]]:
    """Of each service account: every owner it ever had, and who made a token of it, good or not."""
    account, answering = _ACCOUNT.c, _ANSWERING.c
    wanted = account.owner_id.is_not(None) & account.name.in_(list(names))
    owned, made = ownership_table.c, token_table.c
    owners = (
        select(account.name.label("account"), answering.name.label("answering"))
        .join(ownership_table, owned.account_id == account.id)
        .join(_ANSWERING, answering.id == owned.owner_id)
        .where(wanted)
    )
    makers = (
        select(account.name, answering.name)
        .join(token_table, made.principal_id == account.id)
        .join(_ANSWERING, answering.id == made.made_by)
        .where(wanted)
    )
    found: dict[str, set[str]] = {}
    for name, person in connection.execute(owners.union(makers)):
        found.setdefault(name, set()).add(person)
    return found
