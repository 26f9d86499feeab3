"""Whom a token or a password proves, and what they may do in a workspace: one query, one row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    null,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mainspring.administration.tables import (
    denial_table,
    grant_table,
    group_member_table,
    group_role_table,
    group_table,
    password_table,
    principal_table,
    session_table,
    token_table,
)
from mainspring.core.access import Actor, Caller, account_permitted, permitted, token_hash
from mainspring.core.clock import to_micros
from mainspring.core.event_log import workspace_table
from mainspring.core.name_patterns import Patterns
from mainspring.core.prepared import Prepared
from mainspring.core.settings import DEFAULT_WORKSPACE

_P, _T = principal_table.c, token_table.c
_MEMBER = group_member_table.c
_OWNER = principal_table.alias("owner")
_ENABLED = _P.disabled_at.is_(None) & _OWNER.c.disabled_at.is_(None)
"""Whoever answers for a service account is asked with it: when they are out, it is."""


class _all(FunctionElement[str]):  # noqa: N801
    """All words of many rows in one text: roles and verbs have no commas.

    SQLAlchemy's own `aggregate_strings` writes its comma only when values come: no way to prepare it.
    """

    type = Text()
    inherit_cache = True


@compiles(_all, "sqlite")
def _group_concat(element: _all, compiler: Any, **given: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **given)})"


@compiles(_all, "postgresql")
def _string_agg(element: _all, compiler: Any, **given: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **given)}, ',')"


def _joined(words: ColumnElement[str]) -> Select[Any]:
    return select(_all(words))


def _rights(workspace: Any) -> list[Any]:
    """A person's own roles, those of their groups, and what either is denied, as four texts.

    Four subqueries and no join: rows of one would multiply those of the others.
    """
    theirs = (_MEMBER.principal_id == _P.id) & (_MEMBER.workspace_id == workspace)
    given, denied = group_role_table.c, denial_table.c
    texts = (
        _joined(grant_table.c.role).where(
            grant_table.c.principal_id == _P.id, grant_table.c.workspace_id == workspace
        ),
        _joined(given.role).where(given.group_id == _MEMBER.group_id, theirs),
        _joined(denied.verb).where(denied.principal_id == _P.id, denied.workspace_id == workspace),
        _joined(denied.verb).where(denied.group_id == _MEMBER.group_id, theirs),
    )
    return [text.correlate(principal_table, workspace_table).scalar_subquery() for text in texts]


def _permissions(texts: Iterable[str | None], owner: str | None) -> frozenset[str]:
    own, groups, denied, denied_groups = (
        frozenset(text.split(",")) if text else frozenset() for text in texts
    )
    allowed = permitted if owner is None else account_permitted
    return allowed(own | groups, denied | denied_groups)


def _reaches(workspace: Any, made_in: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a token or password is good in a workspace: where it was made, or from `default` in all.

    Who administers a workspace can make them for anybody; elsewhere those must prove nothing.
    """
    # By another name: the subquery is about its own row, whatever workspaces are around it.
    aliased = workspace_table.alias("first")
    default = select(aliased.c.id).where(aliased.c.name == DEFAULT_WORKSPACE)
    return or_(made_in == workspace, made_in == default.scalar_subquery())


def _actor(credential: Any, *limits: Any) -> Select[Any]:
    """The owner of a credential with the rights in a workspace that it reaches."""
    return (
        select(
            _P.id, _P.public_id, _P.kind, _P.name, _OWNER.c.name.label("owner"),
            workspace_table.c.id.label("workspace_id"), workspace_table.c.erasures, *limits,
            *_rights(workspace_table.c.id),
        )
        .select_from(credential)
        .join(principal_table, _P.id == credential.c.principal_id)
        .outerjoin(_OWNER, _OWNER.c.id == _P.owner_id)
        .outerjoin(
            workspace_table,
            and_(
                workspace_table.c.name == bindparam("workspace"),
                _reaches(workspace_table.c.id, credential.c.workspace_id),
            ),
        )
        .where(_ENABLED)
    )  # fmt: skip


_S, _PASSWORD = session_table.c, password_table.c
_BY_TOKEN = Prepared(
    _actor(token_table, _T.public_id, _T.verbs, _T.models, _T.expires_at, null()).where(
        _T.hash == bindparam("hash"), _T.revoked_at.is_(None)
    ),
    "workspace",
    "hash",
)
_BY_PASSWORD = Prepared(
    _actor(password_table, null(), null(), null(), null(), null()).where(
        _P.kind == "person",
        _P.name == bindparam("person"),
        password_table.c.proof == bindparam("proof"),
    ),
    "workspace",
    "person",
    "proof",
)
_BY_SESSION = Prepared(
    _actor(session_table, _T.public_id, _T.verbs, _T.models, _T.expires_at, _S.public_id)
    .outerjoin(token_table, _T.id == _S.token_id)
    .outerjoin(password_table, _PASSWORD.principal_id == _P.id)
    .where(
        _S.hash == bindparam("hash"),
        _S.expires_at > bindparam("now"),
        _S.idle_until > bindparam("now"),
        _T.revoked_at.is_(None),
        _PASSWORD.proof.is_not_distinct_from(_S.proof),
        _P.kind == "person",
    ),
    "workspace",
    "hash",
    "now",
)


def find_actor(
    connection: Connection, caller: Caller, now: dt.datetime
) -> tuple[Actor, int | None] | None:
    """Whom the caller's credential proves, and the workspace's key if it is one of theirs."""
    if caller.session:
        digest = token_hash(caller.session)
        row = _BY_SESSION.row(connection, caller.workspace, digest, to_micros(now))
    elif caller.proof:
        row = _BY_PASSWORD.row(connection, caller.workspace, caller.person, caller.proof)
    else:
        row = _BY_TOKEN.row(connection, caller.workspace, token_hash(caller.token))
    if row is None:
        return None
    (
        key, public_id, kind, name, owner, workspace_id, erasures, token, verbs, models, expires,
        session, *texts,
    ) = row  # fmt: skip
    if expires is not None and expires <= to_micros(now):
        return None
    actor = Actor(
        kind=kind,
        key=key,
        name=name,
        permissions=_permissions(texts, owner),
        token=token,
        session=session,
        proof=caller.proof or None,
        owner=owner,
        scopes=None if verbs is None else frozenset(msgspec.json.decode(verbs)),
        models=None if models is None else tuple(msgspec.json.decode(models)),
        public_id=public_id,
        erasures=erasures or 0,
    )
    return actor, workspace_id


def predictors(connection: Connection, workspace_id: int, now: dt.datetime) -> dict[str, Patterns]:
    """The hashes of the tokens that may ask for predictions in the workspace, and of what."""
    rows = connection.execute(
        select(_T.hash, _T.verbs, _T.models, _OWNER.c.name, *_rights(workspace_table.c.id))
        .join(principal_table, _P.id == _T.principal_id)
        .outerjoin(_OWNER, _OWNER.c.id == _P.owner_id)
        .join(workspace_table, workspace_table.c.id == workspace_id)
        .where(
            _T.revoked_at.is_(None),
            or_(_T.expires_at.is_(None), _T.expires_at > now),
            _ENABLED,
            _reaches(workspace_table.c.id, _T.workspace_id),
        )
    ).all()
    return {
        row.hash: None if row.models is None else tuple(row.models)
        for row in rows
        if "predict" in _permissions(row[4:], row[3])
        and (row.verbs is None or "predict" in row.verbs)
    }


def entitled(connection: Connection, workspace_id: int, verb: str, names: set[str]) -> set[str]:
    """Those of the people who may do what the verb allows, now and in this workspace."""
    rows = connection.execute(
        select(_P.name, *_rights(workspace_table.c.id))
        .join(workspace_table, workspace_table.c.id == workspace_id)
        .where(_P.kind == "person", _P.name.in_(names), _P.disabled_at.is_(None))
    )
    return {row.name for row in rows if verb in _permissions(row[1:], None)}


class Held(NamedTuple):
    """A role that a person holds, or a group without one that they belong to."""

    person: str
    role: str | None
    group: str | None
    """As `group:NAME`, if it comes by one."""
    grants: tuple[tuple[str, dt.datetime], ...]
    """Who gave it, and when: of a group who put the person in, and who gave the group the role."""


def held_roles(connection: Connection, workspace_id: int, names: set[str]) -> list[Held]:
    """What the people hold in the workspace, and by whose hands."""
    own, group, member, given = grant_table.c, group_table.c, _MEMBER, group_role_table.c
    theirs = (_P.kind == "person") & _P.name.in_(names)
    direct = connection.execute(
        select(_P.name, own.role, own.granted_by, own.recorded_at)
        .join(grant_table, own.principal_id == _P.id)
        .where(theirs, own.workspace_id == workspace_id)
    )
    found = [Held(row.name, row.role, None, ((row[2], row[3]),)) for row in direct]
    by_group = connection.execute(
        select(
            _P.name, group.name.label("group"), member.added_by, member.recorded_at,
            given.role, given.granted_by, given.recorded_at,
        )
        .select_from(principal_table)
        .join(group_member_table, member.principal_id == _P.id)
        .join(group_table, group.id == member.group_id)
        .outerjoin(group_role_table, given.group_id == group.id)
        .where(theirs, member.workspace_id == workspace_id)
    )  # fmt: skip
    for row in by_group:
        grants = ((row[2], row[3]), *(((row[5], row[6]),) if row.role is not None else ()))
        found.append(Held(row.name, row.role, f"group:{row.group}", grants))
        # They are of the group, whoever gave it a role.
        found.append(Held(row.name, None, f"group:{row.group}", grants[:1]))
    return found


def has_administrator(connection: Connection, but: str, now: dt.datetime) -> bool:
    """Whether somebody who administers `default` has a password, or a whole token but the one hashed."""
    passwords = select(password_table.c.principal_id)
    tokens = select(_T.principal_id).where(
        _T.hash != but,
        _T.revoked_at.is_(None),
        or_(_T.expires_at.is_(None), _T.expires_at > now),
        _T.verbs.is_(None),
        _T.models.is_(None),
    )
    ways = or_(_P.id.in_(passwords), _P.id.in_(tokens))
    names = set(connection.scalars(select(_P.name).where(_P.kind == "person", ways)))
    first = select(workspace_table.c.id).where(workspace_table.c.name == DEFAULT_WORKSPACE)
    return bool(entitled(connection, connection.scalars(first).one(), "admin", names))
