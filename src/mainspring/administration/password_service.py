"""Passwords of people: one's own with the old one, others' as an administrator."""

from __future__ import annotations

from mainspring.administration import contract
from mainspring.administration.credential_store import made_by
from mainspring.administration.password_store import store_password, stored_password
from mainspring.administration.passwords import check_setter
from mainspring.administration.sign_in import new_proof
from mainspring.administration.store import AdministrationStore
from mainspring.core.errors import Blocked, Invalid
from mainspring.core.operation import Done
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.core.work import Work, performs


@performs(contract.set_password)
def set_password(work: Work, request: contract.SetPassword) -> Done:
    """Store the hash that was made before the transaction began."""
    assert request.password.startswith("$argon2id$"), "SignIn.prepared makes the hash"
    store = AdministrationStore(work.connection, work.workspace_id)
    known = stored_password(work.connection, request.person)
    if request.person == work.actor.name and work.actor.kind == "person" and known is not None:
        if request.old_password != known.proof:
            raise Invalid(
                "whoever changes their own password gives the old one", field="old_password"
            )
        # As good as the one before, and not better.
        made_in, key = known.workspace_id, known.principal_id
        hands = {"given_by": known.given_by, "given_at": known.given_at}
    else:
        _may_set_for(work, store, request.person)
        made_in, key = work.workspace_id, store.principal_key("person", request.person)
        hands = made_by(work.connection, work.actor, key, work.now)
    row = {
        "workspace_id": made_in,
        "hash": request.password,
        "proof": new_proof(),
        **hands,
    }
    store_password(work.connection, key, row, work.now)
    work.announce("password.set", ("person", request.person))
    return Done()


def _may_set_for(work: Work, store: AdministrationStore, person: str) -> None:
    check_setter(work.actor)
    key = store.principal_key("person", person)
    if work.workspace != DEFAULT_WORKSPACE and store.has_roles_elsewhere(key):
        raise Blocked(
            f"the password of {person!r} was not set: it signs in to every workspace",
            [f"{person!r} has roles in another workspace"],
            fix=f"let an administrator of {DEFAULT_WORKSPACE!r} do it",
        )
