"""Who is on call for a model, of those who can sign in."""

from __future__ import annotations

from mainspring.core.errors import Invalid
from mainspring.core.work import Work, performs
from mainspring.registry import rota_contract as contract
from mainspring.registry.promotion_store import PromotionStore
from mainspring.registry.rota import turn_at
from mainspring.registry.rota_contract import OnCall
from mainspring.registry.store import RegistryStore


@performs(contract.show_on_call)
def show_on_call(work: Work, request: contract.ShowOnCall) -> OnCall:
    """Whose week it is."""
    if request.at is not None and request.at.tzinfo is None:
        raise Invalid("a moment needs its time zone: 2013-01-07T00:00:00Z", field="at")
    row = RegistryStore(work.connection, work.workspace_id).model_row(request.model)
    gone = PromotionStore(work.connection, work.workspace_id).strangers(row.on_call)
    able = [name for name in row.on_call if name not in gone]
    turn = turn_at(able, request.at or work.now)
    return OnCall(
        model=row.name,
        person=turn.person if turn else None,
        following=turn.following if turn else None,
        until=turn.until if turn else None,
        owner=row.owner,
        team=row.team,
        escalation=row.escalation,
    )
