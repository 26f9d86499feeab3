"""People are erased: what they did stays, as the deeds of somebody who has no name any more."""

from __future__ import annotations

import re

from mainspring.administration import erasure_contract as contract
from mainspring.administration.erasing import OBJECTIONS
from mainspring.administration.erasure_contract import Erased
from mainspring.administration.erasure_store import ErasureStore
from mainspring.administration.store import AdministrationStore
from mainspring.core.errors import Blocked, Conflict, Invalid
from mainspring.core.reference import is_erased_name, reference_of
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.core.work import Work, performs


@performs(contract.erase_person)
def erase_person(work: Work, request: contract.ErasePerson) -> Erased:
    """Erase, unless somebody else has to take something over first."""
    people = AdministrationStore(work.connection, work.workspace_id)
    people.person(request.name)
    if is_erased_name(request.name):
        raise Conflict(f"{request.name!r} was erased already", field="name")
    if re.search(rf"(?<!\w){re.escape(request.name)}(?!\w)", request.reason, re.IGNORECASE):
        raise Invalid(
            "the reason names the person, and the log keeps it for good",
            field="reason",
            fix="say it without the name, for instance with the number of a request",
        )
    _refused(work, request.name)
    store = ErasureStore(work.connection, people.principal_key("person", request.name))
    if not request.dry_run:
        return _erased(work, store, request)
    with work.connection.begin_nested() as everything:
        found = _tried(work, store)
        everything.rollback()
    return found


def _refused(work: Work, name: str) -> None:
    """Refuse what nobody could mend."""
    if work.workspace != DEFAULT_WORKSPACE:
        raise Blocked(
            f"{name!r} was not erased, which would be so in every workspace",
            [f"an administrator of {DEFAULT_WORKSPACE!r} erases people"],
            fix=f"the same with -w {DEFAULT_WORKSPACE}",
        )
    if (work.actor.kind, work.actor.name) == ("person", name):
        raise Blocked("nobody erases themselves", ["ask another administrator"])


def _tried(work: Work, store: ErasureStore) -> Erased:
    store.lock()
    reasons = [
        f"nobody else administers the workspace {one!r}" for one in store.only_administrator_of()
    ]
    for objections in OBJECTIONS:
        reasons += objections(work.connection, store.name)
    if reasons:
        raise Blocked(
            f"{store.name!r} cannot be erased yet: {'; '.join(reasons)}",
            reasons,
            fix="let another person take that over first",
        )
    entries = store.entries_with_name()
    new, replaced = store.erase(work.now)
    return Erased(
        name=new,
        reference=reference_of(store.public_id),
        replaced=replaced,
        entries_with_name=entries,
    )


def _erased(work: Work, store: ErasureStore, request: contract.ErasePerson) -> Erased:
    found = _tried(work, store)
    work.announce("person.erased", ("person", found.name), reason=request.reason)
    return found
