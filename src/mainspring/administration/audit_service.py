"""The log of events: told, and verified against its own hashes and the signed checkpoints."""

from __future__ import annotations

from mainspring.administration import contract
from mainspring.administration.contract import Chain, Verified
from mainspring.administration.event_store import Head, heads, listed_events, stored_events
from mainspring.core.chain import START, Fault, Walk
from mainspring.core.checkpoint import Witnessed
from mainspring.core.event import Event
from mainspring.core.operation import Page
from mainspring.core.work import Work, performs


@performs(contract.list_events)
def list_events(work: Work, request: contract.ListEvents) -> Page[Event]:
    """A page of the log."""
    items = listed_events(work.connection, work.workspace_id, request)
    more = len(items) == request.limit and not request.newest
    return Page(items=items, next=str(items[-1].sequence) if more else None)


@performs(contract.verify_events)
def verify_events(work: Work, request: contract.Nothing) -> Chain:
    """Check every link."""
    known = work.checkpoints()
    (head,) = [one for one in heads(work.connection) if one.key == work.workspace_id]
    return _verified(work, head, known)


@performs(contract.verify_workspaces)
def verify_workspaces(work: Work, request: contract.Nothing) -> list[Verified]:
    """Check every link of every chain; one that checkpoints vouch for must be there."""
    known = work.checkpoints()
    found = heads(work.connection)
    here = [Verified(workspace=one.workspace, chain=_verified(work, one, known)) for one in found]
    gone = known.workspaces - {one.workspace for one in found}
    return here + [Verified(workspace=name, chain=_gone(name, known)) for name in sorted(gone)]


def _verified(work: Work, head: Head, known: Witnessed) -> Chain:
    walk = Walk(stored_events(work.connection, head.key), known.marks(head.workspace))
    wrong = walk.first_fault(head.mark)
    return Chain(
        events=walk.last.sequence,
        first_bad=None if wrong is None else wrong.sequence,
        checkpoints=walk.held,
        faults=[one for one in (wrong, known.fault) if one is not None],
    )


def _gone(name: str, known: Witnessed) -> Chain:
    walk = Walk(iter(()), known.marks(name), START)
    wrong = walk.first_fault(None)
    assert wrong is not None
    found = f"the workspace {name!r} is gone, and had {known.marks(name)[-1].sequence} events"
    return Chain(events=0, first_bad=1, faults=[Fault(wrong="cut", sequence=1, found=found)])
