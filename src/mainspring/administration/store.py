"""The rows of people, services, tokens, roles and files, and a look at the log and the queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from mainspring.administration.contract import Blob, PendingJob, Person, Token, Workspace
from mainspring.administration.furnishing import furnish
from mainspring.administration.tables import (
    NAMED,
    denial_table,
    file_table,
    grant_table,
    group_member_table,
    group_role_table,
    group_table,
    principal_table,
    token_table,
)
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.event import Event
from mainspring.core.event_log import EVENTS, event_table, events_of, workspace_table
from mainspring.core.jobs import job_table
from mainspring.core.text import closest

_PERSON = principal_table.c.kind == "person"


class AdministrationStore:
    """Rows of one workspace, and the people that all workspaces share."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def people(self, condition: ColumnElement[bool] = _PERSON) -> list[Person]:
        """Everybody, with their roles here; or the others that the condition says."""
        rows = self._connection.execute(
            select(principal_table, grant_table.c.role)
            .outerjoin(
                grant_table,
                and_(
                    grant_table.c.principal_id == principal_table.c.id,
                    grant_table.c.workspace_id == self._workspace_id,
                ),
            )
            .where(condition)
            .order_by(principal_table.c.name, grant_table.c.role)
        ).all()
        groups, denied = self._through_groups(), self._denied()
        found: dict[str, Person] = {}
        for row in rows:
            person = found.setdefault(
                row.name,
                Person(
                    name=row.name,
                    roles=[],
                    groups=groups.get(row.id, {}),
                    denied=sorted(denied.get(row.id, ())),
                    disabled=row.disabled_at is not None,
                    recorded_at=row.recorded_at,
                ),
            )
            if row.role:
                person.roles.append(row.role)
        return list(found.values())

    def _through_groups(self) -> dict[int, dict[str, list[str]]]:
        """The groups of each person here, with the roles of each."""
        rows = self._connection.execute(
            select(group_member_table.c.principal_id, group_table.c.name, group_role_table.c.role)
            .join(group_table, group_table.c.id == group_member_table.c.group_id)
            .outerjoin(group_role_table, group_role_table.c.group_id == group_table.c.id)
            .where(group_member_table.c.workspace_id == self._workspace_id)
            .order_by(group_table.c.name, group_role_table.c.role)
        )
        found: dict[int, dict[str, list[str]]] = {}
        for person, group, role in rows:
            roles = found.setdefault(person, {}).setdefault(group, [])
            roles += [role] if role else []
        return found

    def _denied(self) -> dict[int, set[str]]:
        """What each person is denied here, by themselves or with a group."""
        denial, member = denial_table.c, group_member_table.c
        own = select(denial.principal_id, denial.verb).where(
            denial.workspace_id == self._workspace_id, denial.principal_id.is_not(None)
        )
        theirs = (
            select(member.principal_id, denial.verb)
            .join(denial_table, denial.group_id == member.group_id)
            .where(member.workspace_id == self._workspace_id)
        )
        found: dict[int, set[str]] = {}
        for person, verb in self._connection.execute(own.union(theirs)):
            found.setdefault(person, set()).add(verb)
        return found

    def person(self, name: str) -> Person:
        """One person or service account with their roles here."""
        people = self.people(NAMED)
        found = next((person for person in people if person.name == name), None)
        if found is None:
            names = [person.name for person in people]
            raise NotFound(f"no person named {name!r}{closest(name, names)}", field="name")
        return found

    def principal_key(self, kind: str, name: str) -> int:
        """The key of a person, or of a service of ours, that must exist."""
        key = self._connection.execute(
            select(principal_table.c.id).where(
                principal_table.c.kind == kind,
                principal_table.c.name == name,
                principal_table.c.owner_id.is_(None),
            )
        ).scalar_one_or_none()
        if key is None:
            raise NotFound(f"no {kind} named {name!r}", field="name")
        return int(key)

    def is_service(self, name: str) -> bool:
        """Whether a service is called so."""
        here = (principal_table.c.kind == "service") & (principal_table.c.name == name)
        return (
            self._connection.execute(select(principal_table.c.id).where(here)).first() is not None
        )

    def holder(self, name: str) -> tuple[int, str]:
        """The key and kind of whoever can be given roles: a person or a service account."""
        row = self._connection.execute(
            select(principal_table.c.id, principal_table.c.kind).where(
                NAMED, principal_table.c.name == name
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"no person or service account named {name!r}", field="name")
        return int(row.id), str(row.kind)

    def add_principal(
        self, kind: str, name: str, now: dt.datetime, owner: int | None = None
    ) -> int:
        """A new person, service of ours, or with an owner a service account."""
        same = principal_table.c.kind == kind
        known = self._connection.execute(
            select(principal_table.c.kind).where(
                principal_table.c.name == name,
                same | NAMED if kind == "person" or owner is not None else same,
            )
        ).first()
        if known is not None:
            raise Conflict(f"{known.kind} {name!r} exists", field="name")
        row = {"kind": kind, "name": name, "owner_id": owner, "recorded_at": now}
        try:
            with self._connection.begin_nested():
                key = self._connection.execute(
                    insert(principal_table).values(row)
                ).inserted_primary_key
        except IntegrityError:  # added from another workspace at the same moment
            raise Conflict(f"{kind} {name!r} exists", field="name") from None
        assert key is not None
        return int(key[0])

    def has_roles_elsewhere(self, principal: int) -> bool:
        """Whether a person has a role, or is in a group, in another workspace."""
        own = select(grant_table.c.workspace_id).where(grant_table.c.principal_id == principal)
        groups = select(group_member_table.c.workspace_id).where(
            group_member_table.c.principal_id == principal
        )
        found = self._connection.scalars(own.union(groups))
        return any(workspace != self._workspace_id for workspace in found)

    def disable(self, name: str, now: dt.datetime) -> None:
        """Take every right from a person."""
        self._connection.execute(
            update(principal_table)
            .where(principal_table.c.kind == "person", principal_table.c.name == name)
            .values(disabled_at=now)
        )

    def grant(self, principal: int, role: str, by: str, now: dt.datetime) -> bool:
        """Give a role; answers whether it is new."""
        here = grant_table.c.workspace_id == self._workspace_id
        same = and_(here, grant_table.c.principal_id == principal, grant_table.c.role == role)
        if self._connection.execute(select(grant_table.c.id).where(same)).first():
            return False
        self._connection.execute(
            insert(grant_table).values(
                workspace_id=self._workspace_id,
                principal_id=principal,
                role=role,
                granted_by=by,
                recorded_at=now,
            )
        )
        return True

    def revoke(self, principal: int, role: str) -> bool:
        """Take a role; answers whether it was there."""
        result = self._connection.execute(
            delete(grant_table).where(
                grant_table.c.workspace_id == self._workspace_id,
                grant_table.c.principal_id == principal,
                grant_table.c.role == role,
            )
        )
        return result.rowcount > 0

    def add_token(self, row: dict[str, Any]) -> None:
        """Store a token's hash and limits."""
        self._connection.execute(insert(token_table).values(**row, workspace_id=self._workspace_id))

    def tokens(self) -> list[Token]:
        """The tokens made in this workspace."""
        rows = self._connection.execute(
            select(token_table, principal_table.c.name)
            .join(principal_table, principal_table.c.id == token_table.c.principal_id)
            .where(token_table.c.workspace_id == self._workspace_id)
            .order_by(token_table.c.id)
        )
        return [
            Token(
                id=row.public_id,
                owner=row.name,
                verbs=row.verbs,
                models=row.models,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
                revoked=row.revoked_at is not None,
                recorded_at=row.recorded_at,
            )
            for row in rows
        ]

    def revoke_token(self, public_id: str, now: dt.datetime) -> None:
        """Make a token worthless."""
        result = self._connection.execute(
            update(token_table)
            .where(
                token_table.c.workspace_id == self._workspace_id,
                token_table.c.public_id == public_id,
                token_table.c.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
        if result.rowcount == 0:
            raise NotFound(f"no valid token {public_id!r} here", field="token")

    def record_file(self, digest: str, size: int, now: dt.datetime) -> None:
        """Name a stored file in this workspace; one that comes again is young again."""
        row = {"digest": digest, "size": size, "recorded_at": now}
        self._connection.execute(
            upsert(file_table)
            .values(**row, workspace_id=self._workspace_id)
            .on_conflict_do_update(
                index_elements=["workspace_id", "digest"], set_={"recorded_at": now}
            )
        )

    def file(self, digest: str) -> Blob | None:
        """The file, if this workspace has it."""
        row = self._connection.execute(
            select(file_table.c.digest, file_table.c.size).where(
                file_table.c.workspace_id == self._workspace_id, file_table.c.digest == digest
            )
        ).one_or_none()
        return None if row is None else Blob(digest=row.digest, size=row.size)

    def missing_files(self, digests: Sequence[str]) -> list[str]:
        """Those of the files that this workspace does not have."""
        here: set[str] = set()
        for start in range(0, len(digests), 500):  # below SQLite's limit of bound values
            rows = self._connection.scalars(
                select(file_table.c.digest).where(
                    file_table.c.workspace_id == self._workspace_id,
                    file_table.c.digest.in_(digests[start : start + 500]),
                )
            )
            here.update(rows)
        return [digest for digest in digests if digest not in here]

    def jobs(self, limit: int) -> list[PendingJob]:
        """Pending reactions of this workspace."""
        rows = self._connection.execute(
            select(job_table, event_table.c.public_id)
            .join(event_table, event_table.c.id == job_table.c.event_id)
            .where(job_table.c.workspace_id == self._workspace_id)
            .order_by(job_table.c.due_at, job_table.c.id)
            .limit(limit)
        )
        return [
            PendingJob(
                id=row.id,
                reaction=row.reaction,
                lane=row.lane,
                event=row.public_id,
                due_at=row.due_at,
                attempts=row.attempts,
                running=row.owner is not None,
                last_error=row.last_error,
            )
            for row in rows
        ]

    def drop_job(self, key: int) -> tuple[str, Event] | None:
        """Remove a job; answers the reaction, and the event that it was to follow."""
        here = (job_table.c.workspace_id == self._workspace_id) & (job_table.c.id == key)
        query = EVENTS.join(job_table, job_table.c.event_id == event_table.c.id)
        row = self._connection.execute(
            query.add_columns(job_table.c.reaction).where(here)
        ).one_or_none()
        self._connection.execute(delete(job_table).where(here))
        if row is None:
            return None
        (event,) = events_of(self._connection, [row])
        return row.reaction, event


def workspaces(connection: Connection) -> list[Workspace]:
    """Every workspace."""
    rows = connection.execute(select(workspace_table).order_by(workspace_table.c.name))
    return [Workspace(name=row.name, recorded_at=row.recorded_at) for row in rows]


def add_workspace(connection: Connection, name: str, now: dt.datetime) -> int:
    """A new workspace."""
    known = select(workspace_table.c.id).where(workspace_table.c.name == name)
    if connection.execute(known).first():
        raise Conflict(f"workspace {name!r} exists", field="name")
    key = connection.execute(
        insert(workspace_table).values(name=name, recorded_at=now)
    ).inserted_primary_key
    assert key is not None
    furnish(connection, int(key[0]), now)
    return int(key[0])


def pending_jobs(connection: Connection) -> int:
    """How many reactions are due or running, in all workspaces."""
    return int(connection.execute(select(func.count()).select_from(job_table)).scalar_one())
