"""Standing policies: an approval given beforehand, by a person, with limits."""

from __future__ import annotations

import datetime as dt

from mainspring.administration.account_store import answerable
from mainspring.core.errors import Blocked, Conflict
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.gate import joint_digest
from mainspring.registry.promotion import four_eyes
from mainspring.registry.promotion_store import PromotionStore, policy_of
from mainspring.registry.record import Policy
from mainspring.registry.service import checked_alias_free
from mainspring.registry.stage_store import checked_target
from mainspring.registry.standing_gate import newest_gates


@performs(contract.propose_policy)
def propose_policy(work: Work, request: contract.ProposePolicy) -> Policy:
    """Propose; it counts once another person has approved it."""
    checked_alias_free(request.model)
    checked_target(work, request.stage)
    store = PromotionStore(work.connection, work.workspace_id)
    if any(policy.name == request.name for policy in store.policies()):
        raise Conflict(f"policy {request.name!r} exists", field="name")
    store.add_policy(
        {
            "name": request.name,
            "model": request.model,
            "stage": request.stage,
            "proposed_by": work.actor.name,
            "max_promotions": request.max_promotions,
            "used": 0,
            "revoked": False,
            "expires_at": work.now + dt.timedelta(days=request.days),
            "recorded_at": work.now,
        }
    )
    work.announce("policy.proposed", ("policy", request.name), request.model, days=request.days)
    return policy_of(store.policy_row(request.name))


@performs(contract.approve_policy)
def approve_policy(work: Work, request: contract.NamePolicy) -> Policy:
    """Approve what another person proposed."""
    store = PromotionStore(work.connection, work.workspace_id)
    row = store.policy_row(request.policy)
    refusal = four_eyes(work.actor.name, answerable(work.connection, [row.proposed_by]))
    if work.actor.kind != "person":
        refusal.append(f"{work.actor.name!r} is a {work.actor.kind}")
    if refusal:
        raise Blocked(f"policy {row.name!r} was not approved: {'; '.join(refusal)}", refusal)
    suites = store.suite_rows(row.model, row.stage)[:1]
    suites += newest_gates(store.gate_rows(row.stage), "low")  # it speaks for no other tier
    if not suites:
        raise Blocked(
            f"policy {row.name!r} cannot be approved: no suite is declared for {row.stage!r}",
            ["nobody can agree beforehand to a gate that is not there"],
            field="policy",
            fix=f"mainspring suite declare --model {row.model} --checks JSON",
        )
    if row.approved_by is None:
        digest = joint_digest([suite.digest for suite in suites])
        store.update_policy(row.id, approved_by=work.actor.name, suite_digest=digest)
        work.announce("policy.approved", ("policy", row.name), row.model)
    return policy_of(store.policy_row(request.policy))


@performs(contract.revoke_policy)
def revoke_policy(work: Work, request: contract.NamePolicy) -> Policy:
    """End it at once."""
    store = PromotionStore(work.connection, work.workspace_id)
    row = store.policy_row(request.policy)
    if not row.revoked:
        store.update_policy(row.id, revoked=True)
        work.announce("policy.revoked", ("policy", row.name), row.model)
    return policy_of(store.policy_row(request.policy))


@performs(contract.list_policies)
def list_policies(work: Work, request: contract.ListModels) -> list[Policy]:
    """Every policy."""
    store = PromotionStore(work.connection, work.workspace_id)
    return store.policies(work.actor.models)[: request.limit]
