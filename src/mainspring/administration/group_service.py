"""Groups of people and denied verbs: who may give roles decides about both, and each change is logged."""

from __future__ import annotations

from typing import Any

from mainspring.administration import group_contract as contract
from mainspring.administration.contract import Nothing
from mainspring.administration.group_contract import Denial, PeopleGroup
from mainspring.administration.group_store import GroupStore
from mainspring.administration.roles import known_role, known_verb
from mainspring.administration.store import AdministrationStore
from mainspring.administration.tables import (
    denial_table,
    group_member_table,
    group_role_table,
)
from mainspring.core.errors import Blocked, Invalid, NotFound
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs


def _store(work: Work) -> GroupStore:
    return GroupStore(work.connection, work.workspace_id)


def _holder(work: Work, name: str) -> tuple[int, str]:
    return AdministrationStore(work.connection, work.workspace_id).holder(name)


@performs(contract.create_group)
def create_group(work: Work, request: contract.CreateGroup) -> PeopleGroup:
    """Make it, empty."""
    store = _store(work)
    store.create(request.name, work.now)
    work.announce("group.created", ("group", request.name))
    return store.group(request.name)


@performs(contract.list_groups)
def list_groups(work: Work, request: Nothing) -> list[PeopleGroup]:
    """By name."""
    return _store(work).groups()


@performs(contract.delete_group)
def delete_group(work: Work, request: contract.NameGroup) -> Done:
    """Delete it; the log says what it was."""
    store = _store(work)
    was = store.group(request.group)
    store.delete(store.key(request.group))
    facts: dict[str, Any] = {"members": was.members, "roles": was.roles, "denied": was.denied}
    facts["lifted"] = _lifted(was, was.members)
    work.announce("group.deleted", ("group", request.group), **facts)
    return Done()


@performs(contract.add_member)
def add_member(work: Work, request: contract.GroupMember) -> PeopleGroup:
    """Put the person in."""
    store = _store(work)
    same = _member(work, request)
    if store.put(group_member_table, same, _by(work, "added_by")):
        work.announce("group.joined", ("group", request.group), person=request.person)
    return store.group(request.group)


@performs(contract.remove_member)
def remove_member(work: Work, request: contract.GroupMember) -> PeopleGroup:
    """Take the person out."""
    store = _store(work)
    same = _member(work, request)
    if not store.take(group_member_table, same):
        raise NotFound(f"{request.person!r} is not in {request.group!r}", field="person")
    found = store.group(request.group)
    facts: dict[str, Any] = {"person": request.person, "lifted": _lifted(found, [request.person])}
    work.announce("group.left", ("group", request.group), **facts)
    return found


@performs(contract.grant_group)
def grant_group(work: Work, request: contract.GroupRole) -> PeopleGroup:
    """Give the role to all that are in it, now and later."""
    known_role(request.role)
    store = _store(work)
    same = {"group_id": store.key(request.group), "role": request.role}
    if store.put(group_role_table, same, _by(work, "granted_by")):
        work.announce("role.granted", ("group", request.group), role=request.role)
    return store.group(request.group)


@performs(contract.revoke_group)
def revoke_group(work: Work, request: contract.GroupRole) -> PeopleGroup:
    """Take the role from all that are in it."""
    store = _store(work)
    if not store.take(
        group_role_table, {"group_id": store.key(request.group), "role": request.role}
    ):
        raise NotFound(f"{request.group!r} does not have the role {request.role!r}", field="role")
    work.announce("role.revoked", ("group", request.group), role=request.role)
    return store.group(request.group)


@performs(contract.deny)
def deny(work: Work, request: contract.Deny) -> Done:
    """Deny it; who could undo it must be left, so nobody denies themselves what that takes."""
    known_verb(request.verb)
    store, (subject, same) = _store(work), _denied(work, request)
    mine = same["principal_id"] == work.actor.key or (
        same["group_id"] is not None and store.is_member(same["group_id"], work.actor.key)
    )
    if mine and request.verb in ("grant", "admin"):
        raise Blocked(f"nobody denies themselves {request.verb!r}", ["ask another administrator"])
    new = store.put(denial_table, same, _by(work, "denied_by"))
    if new:
        work.announce("verb.denied", subject, verb=request.verb)
    return Done(count=int(new))


@performs(contract.allow_again)
def allow_again(work: Work, request: contract.Deny) -> Done:
    """Lift the denial; what roles allow is allowed again."""
    subject, same = _denied(work, request)
    if not _store(work).take(denial_table, same):
        raise NotFound(f"{subject[1]!r} is not denied {request.verb!r}", field="verb")
    store, (kind, name) = _store(work), subject
    lifted = {request.verb: store.group(name).members if kind == "group" else [name]}
    work.announce("verb.allowed", subject, verb=request.verb, lifted=lifted)
    return Done()


def _lifted(group: PeopleGroup, people: list[str]) -> dict[str, list[str]]:
    """Who is denied what no more: the gates ask whose hand it was, when nothing else tells it."""
    return dict.fromkeys(group.denied, people)


@performs(contract.list_denials)
def list_denials(work: Work, request: Nothing) -> list[Denial]:
    """In their order."""
    return _store(work).denials()


def _member(work: Work, request: contract.GroupMember) -> dict[str, Any]:
    return {
        "workspace_id": work.workspace_id,
        "group_id": _store(work).key(request.group),
        "principal_id": _holder(work, request.person)[0],
    }


def _denied(work: Work, request: contract.Deny) -> tuple[tuple[str, str], dict[str, Any]]:
    """Whom it is about, and the row."""
    row = {
        "workspace_id": work.workspace_id,
        "principal_id": None,
        "group_id": None,
        "verb": request.verb,
    }
    if request.person is not None and request.group is None:
        key, kind = _holder(work, request.person)
        return (kind, request.person), {**row, "principal_id": key}
    if request.group is not None and request.person is None:
        return ("group", request.group), {**row, "group_id": _store(work).key(request.group)}
    raise Invalid("wanted a person or a group, one of them", field="person")


def _by(work: Work, role: str) -> dict[str, Any]:
    return {role: work.actor.name, "recorded_at": work.now}
