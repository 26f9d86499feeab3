"""People, tokens, roles, workspaces: each change is logged."""

from __future__ import annotations

import datetime as dt

from mainspring.administration import contract
from mainspring.administration.answers import forget_answers
from mainspring.administration.contract import (
    Blob,
    NewToken,
    PendingJob,
    Person,
    Self,
    Token,
    Workspace,
)
from mainspring.administration.roles import account_role, known_role
from mainspring.administration.store import (
    AdministrationStore,
    add_workspace,
    workspaces,
)
from mainspring.administration.token_service import make_token
from mainspring.administration.tokens import admit_services
from mainspring.core.access import OUR_SERVICES
from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.operation import Done, Request
from mainspring.core.reference import is_erased_name
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.core.work import Work, performs

ANSWERS_KEPT = dt.timedelta(days=2)


def _store(work: Work) -> AdministrationStore:
    return AdministrationStore(work.connection, work.workspace_id)


@performs(contract.whoami)
def whoami(work: Work, request: contract.Nothing) -> Self:
    """Say who the token proves."""
    actor = work.actor
    allowed = sorted(verb for verb in actor.permissions if actor.may(verb))
    return Self(
        kind=actor.kind,
        name=actor.name,
        workspace=work.workspace,
        permissions=allowed,
        models=None if actor.models is None else list(actor.models),
    )


@performs(contract.create_workspace)
def create_workspace(work: Work, request: contract.CreateWorkspace) -> Workspace:
    """Make the workspace; its maker administers it, and our services work in it at once."""
    key = add_workspace(work.connection, request.name, work.now)
    store = AdministrationStore(work.connection, key)
    store.grant(work.actor.key, "admin", work.actor.name, work.now)
    admit_services(work.connection, key, work.actor.name, work.now)
    work.announce("workspace.created", ("workspace", request.name))
    return Workspace(name=request.name, recorded_at=work.now)


@performs(contract.list_workspaces)
def list_workspaces(work: Work, request: contract.Nothing) -> list[Workspace]:
    """Every workspace."""
    return workspaces(work.connection)


@performs(contract.add_person)
def add_person(work: Work, request: contract.AddPerson) -> Person:
    """Add the person and the roles."""
    for role in request.roles:
        work.actor.require("grant", "giving a role")
        known_role(role)
    if is_erased_name(request.name):
        raise Invalid(
            f"{request.name!r} is what an erased person is called", field="name", fix="another name"
        )
    store = _store(work)
    if store.is_service(request.name) or request.name.casefold() in OUR_SERVICES:
        raise Conflict(
            f"{request.name!r} is a service's name: what it did would be taken for the person's",
            field="name",
            fix="another name",
        )
    key = store.add_principal("person", request.name, work.now)
    for role in request.roles:
        store.grant(key, role, work.actor.name, work.now)
    work.announce("person.added", ("person", request.name), roles=sorted(request.roles))
    return store.person(request.name)


@performs(contract.list_people)
def list_people(work: Work, request: contract.Nothing) -> list[Person]:
    """Everybody."""
    return _store(work).people()


@performs(contract.disable_person)
def disable_person(work: Work, request: contract.NamePerson) -> Person:
    """Disable, unless it is oneself: somebody must be left who can undo it."""
    store = _store(work)
    store.person(request.name)
    if request.name == work.actor.name:
        raise Blocked("nobody disables themselves", ["ask another administrator"])
    key = store.principal_key("person", request.name)
    if work.workspace != DEFAULT_WORKSPACE and store.has_roles_elsewhere(key):
        raise Blocked(
            f"{request.name!r} was not disabled, which would be so in every workspace",
            [f"{request.name!r} has roles in another workspace"],
            fix=f"take the roles here, or let an administrator of {DEFAULT_WORKSPACE!r} do it",
        )
    store.disable(request.name, work.now)
    work.announce("person.disabled", ("person", request.name))
    return store.person(request.name)


@performs(contract.grant_role)
def grant_role(work: Work, request: contract.GrantRole) -> Person:
    """Give the role."""
    known_role(request.role)
    store = _store(work)
    key, kind = store.holder(request.person)
    if kind == "service":
        account_role(request.role)
    if store.grant(key, request.role, work.actor.name, work.now):
        work.announce("role.granted", (kind, request.person), role=request.role)
    return store.person(request.person)


@performs(contract.revoke_role)
def revoke_role(work: Work, request: contract.GrantRole) -> Person:
    """Take the role."""
    store = _store(work)
    key, kind = store.holder(request.person)
    if not store.revoke(key, request.role):
        raise NotFound(f"{request.person!r} does not have the role {request.role!r}", field="role")
    work.announce("role.revoked", (kind, request.person), role=request.role)
    return store.person(request.person)


@performs(contract.create_token)
def create_token(work: Work, request: contract.CreateToken) -> NewToken:
    """Make a token that can do at most what its owner may."""
    store = _store(work)
    key = store.principal_key("person", request.owner)
    return make_token(work, store, key, request)


@performs(contract.list_tokens)
def list_tokens(work: Work, request: contract.Nothing) -> list[Token]:
    """The tokens without secrets."""
    return _store(work).tokens()


@performs(contract.revoke_token)
def revoke_token(work: Work, request: contract.NameToken) -> Done:
    """Make it worthless."""
    _store(work).revoke_token(request.token, work.now)
    work.announce("token.revoked", ("token", request.token))
    return Done()


@performs(contract.list_jobs)
def list_jobs(work: Work, request: contract.ListJobs) -> list[PendingJob]:
    """The queue."""
    return _store(work).jobs(request.limit)


@performs(contract.fail_job)
def fail_job(work: Work, request: contract.FailJob) -> Done:
    """Give it up; whoever waits for it hears of it by the event."""
    job = _store(work).drop_job(request.job)
    if job is None:
        return Done(count=0)
    reaction, event = job
    work.announce(
        "job.failed",
        ("job", str(request.job)),
        event.model,
        reaction=reaction,
        event=event.id,
        about=event.subject,
        error=request.error,
    )
    return Done()


@performs(contract.tidy)
def tidy(work: Work, request: Request) -> Done:
    """Forget what is older than any client's patience."""
    return Done(count=forget_answers(work.connection, work.workspace_id, work.now - ANSWERS_KEPT))


@performs(contract.record_blob)
def record_blob(work: Work, request: contract.RecordBlob) -> Blob:
    """Name the file here."""
    _store(work).record_file(request.digest, request.size, work.now)
    return Blob(digest=request.digest, size=request.size)


@performs(contract.show_blob)
def show_blob(work: Work, request: contract.NameBlob) -> Blob:
    """Find the file here."""
    found = _store(work).file(request.digest)
    if found is None:
        raise NotFound(f"this workspace has no file {request.digest}", field="digest")
    return found
