"""Sessions of browsers: begun, ended by their person, ended by an administrator."""

from __future__ import annotations

import secrets

from mainspring.administration import session_contract as contract
from mainspring.administration.contract import NamePerson, Nothing
from mainspring.administration.session_contract import NewSession
from mainspring.administration.session_store import SessionStore, lifetime, patience
from mainspring.administration.store import AdministrationStore
from mainspring.core.access import token_hash
from mainspring.core.errors import Blocked, Forbidden, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import Done
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.core.work import Work, performs


@performs(contract.open_session)
def open_session(work: Work, request: Nothing) -> NewSession:
    """Begin one that reaches as far as what proves it, and no longer than that holds."""
    actor = work.actor
    if actor.kind != "person" or actor.session is not None:
        raise Forbidden(
            f"a browser is signed in by a person's password or token, not by {actor.kind} "
            f"{actor.name!r}" + (" who is signed in" if actor.session else ""),
            fix="programs send their token with each request",
        )
    store = SessionStore(work.connection)
    password = store.password(actor.key)
    token = store.token(actor.token) if actor.token is not None else None
    # A password that was proved and changed since opens a session that is over at once.
    proof = actor.proof or (password.proof if password else None)
    made_in = token if token is not None else password
    assert made_in is not None
    secret, until = secrets.token_urlsafe(32), work.now + lifetime()
    store.add(
        {
            "public_id": new_id(),
            "principal_id": actor.key,
            "workspace_id": made_in.workspace_id,
            "token_id": token.id if token is not None else None,
            "proof": proof,
            "hash": token_hash(secret),
            "last_used_at": work.now,
            "idle_until": work.now + patience(),
            "expires_at": until,
            "recorded_at": work.now,
        },
        work.now,
    )
    by = "password" if token is None else "token"
    work.announce("session.opened", ("person", actor.name), by=by, until=until.isoformat())
    return NewSession(
        name=actor.name,
        workspace=work.workspace,
        secret=secret,
        recorded_at=work.now,
        expires_at=until,
    )


@performs(contract.end_session)
def end_session(work: Work, request: Nothing) -> Done:
    """End the one that it is asked with."""
    if work.actor.session is None:
        raise NotFound("there is no session to end: this was asked with a token or a password")
    count = SessionStore(work.connection).end(work.actor.session)
    work.announce("session.ended", ("person", work.actor.name), sessions=count)
    return Done(count=count)


@performs(contract.sign_out)
def sign_out(work: Work, request: NamePerson) -> Done:
    """End all of a person's, wherever they were begun."""
    store = AdministrationStore(work.connection, work.workspace_id)
    key = store.principal_key("person", request.name)
    if work.workspace != DEFAULT_WORKSPACE and store.has_roles_elsewhere(key):
        raise Blocked(
            f"{request.name!r} was not signed out, which would be so in every workspace",
            [f"{request.name!r} has roles in another workspace"],
            fix=f"let an administrator of {DEFAULT_WORKSPACE!r} do it",
        )
    count = SessionStore(work.connection).end_all(key)
    work.announce("session.ended", ("person", request.name), sessions=count)
    return Done(count=count)
