"""Promotions: requested, checked, approved, done; the rules are in promotion.py."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid
from mainspring.core.ids import new_id
from mainspring.core.operation import Done, Request
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.contract import Promotion
from mainspring.registry.desk import Desk, asked_checks, refused_party
from mainspring.registry.gate import Gate
from mainspring.registry.override_service import come_back
from mainspring.registry.promotion import (
    OPEN_STATES,
    approval_blockers,
    four_eyes,
    policy_blockers,
    training_blockers,
)
from mainspring.registry.promotion_store import standing_policy
from mainspring.registry.stage_store import checked_target
from mainspring.registry.standing_gate import expires_at
from mainspring.registry.store import checked_move
from mainspring.registry.suites import suites_for


@performs(contract.request_promotion)
def request_promotion(work: Work, request: contract.RequestPromotion) -> Promotion:
    """Open the request; the checks of its suite start by themselves."""
    desk = Desk(work)
    version = desk.registry.version_row(request.model, request.version)
    checked_target(work, request.stage)
    checked_move(version, request.stage)
    if request.on_behalf_of and not work.actor.is_ours:
        raise Forbidden(
            f"{work.actor.kind} {work.actor.name!r} asks for itself; only a service asks for others, "
            "one of Mainspring's own",
            field="on_behalf_of",
        )
    known = desk.promotions.open_promotion(version.id, request.stage)
    if known is not None:
        return desk.shown(known)
    suite, *others = suites = suites_for(desk, version, request)
    champion = desk.registry.staged(request.model, request.stage)
    public_id = new_id()
    desk.promotions.add_promotion(
        {
            "public_id": public_id,
            "version_id": version.id,
            "suite_id": suite.id,
            "more_suites": [one.id for one in others],
            "stage": request.stage,
            "state": "checking",
            "requested_by": work.actor.name,
            "on_behalf_of": request.on_behalf_of,
            "policy": request.policy,
            "reason": request.reason,
            "champion": champion.number if champion else None,
            "recorded_at": work.now,
            "expires_at": expires_at(suites, work.now),
        }
    )
    row = desk.promotions.promotion(public_id)
    desk.announce("promotion.requested", row, version, reason=request.reason)
    _advance(desk, row, version)
    return desk.shown(desk.promotions.promotion(public_id))


@performs(contract.preview_promotion)
def preview_promotion(work: Work, request: contract.RequestPromotion) -> Promotion:
    """Say what would be missing."""
    desk = Desk(work)
    version = desk.registry.version_row(request.model, request.version)
    checked_target(work, request.stage)
    suites = suites_for(desk, version, request)
    rule, missing = desk.at_first(suites, version, request.stage)
    return Promotion(
        id="0" * 32,
        model=request.model,
        version=version.number,
        stage=request.stage,
        state="checking",
        requested_by=work.actor.name,
        policy=request.policy,
        reason=request.reason,
        suite_digest=rule.digest,
        bound_to=None,
        missing=missing,
        checks=asked_checks(suites, rule.checks),
        verdicts=[],
        approvals=[],
        recorded_at=work.now,
        expires_at=expires_at(suites, work.now),
        decided_at=None,
    )


@performs(contract.record_verdict)
def record_verdict(work: Work, request: contract.RecordVerdict) -> Promotion:
    """Record what a check said, then see whether the promotion can go on."""
    desk, row, version = _open_promotion(work, request.promotion)
    rule = desk.gate(row, version).rule
    if request.check not in rule.checks:
        raise Invalid(f"the suite has no check {request.check!r}", field="check")
    said = {
        "outcome": request.outcome,
        "reason": request.reason,
        "measurements": request.measurements,
    }
    desk.promotions.add_verdict(
        {
            "promotion_id": row.id,
            "check_name": request.check,
            "suite_digest": rule.digest,
            "data_digest": request.data_digest,
            "recorded_at": work.now,
            **said,
        }
    )
    desk.announce("verdict.recorded", row, version, check=request.check, **said)
    _advance(desk, row, version)
    return desk.shown(desk.promotions.promotion(request.promotion))


@performs(contract.decide)
def decide(work: Work, request: contract.Decide) -> Promotion:
    """Approve or reject: a person, not a party, and after the checks."""
    desk, row, version = _open_promotion(work, request.promotion)
    refused_party(desk, row, version)
    if row.state == "checking" and request.decision == "approve":
        raise Conflict(
            "its checks are still running; approve when they are done", field="promotion"
        )
    bound_to = desk.bound_to(row, version, desk.gate(row, version))
    desk.add_decision(row, request.decision, request.reason, bound_to)
    kind = "promotion.approved" if request.decision == "approve" else "promotion.rejected"
    desk.announce(kind, row, version, reason=request.reason)
    if request.decision == "reject":
        desk.promotions.set_state(row.id, "rejected", work.now)
    else:
        _advance(desk, row, version)
    return desk.shown(desk.promotions.promotion(request.promotion))


@performs(contract.vouch)
def vouch(work: Work, request: contract.Vouch) -> Promotion:
    """Approve as a service account: of nobody who had a part in it, and named by the suite."""
    desk, row, version = _open_promotion(work, request.promotion)
    gate, name = desk.gate(row, version), work.actor.name
    parties = desk.parties(row, version)
    reasons = four_eyes(name, parties)
    behind = desk.answering([name]) - {name}
    reasons += [f"{name!r} answers to {one!r}, who took part" for one in sorted(behind & parties)]
    if work.actor.kind != "service" or name not in gate.rule.services:
        named = ", ".join(sorted(gate.rule.services)) or "none"
        reasons.insert(0, f"{name!r} is no service account that the suite lets approve: {named}")
    if reasons:
        raise Blocked(
            f"{name!r} may not vouch for {version.model}@{version.number}: {'; '.join(reasons)}",
            reasons,
        )
    if row.state == "checking":
        raise Conflict("its checks are still running", field="promotion")
    desk.add_decision(row, "approve", request.reason, desk.bound_to(row, version, gate))
    desk.announce("promotion.approved", row, version, reason=request.reason)
    _advance(desk, row, version)
    return desk.shown(desk.promotions.promotion(request.promotion))


def _advance(desk: Desk, row: Any, version: Any) -> None:
    """Move the request on as far as its checks and approvals let it."""
    gate = desk.gate(row, version)
    pending, refused = desk.pending(row, gate)
    if pending:
        if row.state == "waiting":
            desk.promotions.set_state(row.id, "checking")
            desk.announce("promotion.stale", row, version, checks=pending)
        return
    refused += _champion_changed(desk, row, version) or _stays(version, row.stage)
    provenance = desk.provenance(version)
    if provenance is not None:
        refused += training_blockers(gate.rule, provenance, desk.work.now)
    if refused:
        desk.promotions.set_state(row.id, "failed", desk.work.now)
        desk.announce("promotion.failed", row, version, reasons=refused)
        return
    bound = desk.bound_to(row, version, gate)
    if row.policy is not None:
        _approve_by_policy(desk, row, version, gate)
    blockers = approval_blockers(gate.rule, desk.approvals(row, version, gate), bound)
    blockers += desk.unsaid(version, row.stage)
    if blockers:
        if row.state == "checking":
            desk.promotions.set_state(row.id, "waiting")
            desk.announce("promotion.waiting", row, version, missing=blockers)
        return
    _promote(desk, row, version)


def _champion_changed(desk: Desk, row: Any, version: Any) -> list[str]:
    """Its checks compared it with what was in the stage when it was asked for."""
    champion = desk.registry.staged(version.model, row.stage)
    now = champion.number if champion else None
    if now == row.champion:
        return []
    before = row.champion or "none"
    reason = (
        f"version {now} entered {row.stage} since this was asked for; it was compared with {before}"
    )
    return [f"{reason}: ask again"]


def _stays(version: Any, stage: str) -> list[str]:
    """Another promotion has brought it where it does not leave: nobody can decide on this one."""
    try:
        checked_move(version, stage)
    except Conflict as refusal:
        return [refusal.message]
    return []


def _approve_by_policy(desk: Desk, row: Any, version: Any, gate: Gate) -> None:
    """Let the person who approved the standing policy be the approver of record, once."""
    if any(one.policy == row.policy for one in desk.promotions.approval_rows(row.id)):
        return
    stored = desk.promotions.policy_row(row.policy)
    policy = standing_policy(stored)
    tier = desk.tier(version, desk.opened_at(version))
    reasons = policy_blockers(policy, version.model, row.stage, tier, desk.work.now)
    if policy.approved_by is not None:
        reasons += four_eyes(policy.approved_by, desk.parties(row, version))
    if stored.suite_digest != gate.binding:
        reasons.append(f"policy {policy.name!r} was approved for another suite")
    if reasons:  # The policy no longer speaks: people have to.
        desk.announce("promotion.undecided", row, version, reasons=reasons)
        return
    desk.promotions.update_policy(stored.id, used=policy.used + 1)
    desk.promotions.add_approval(
        {
            "promotion_id": row.id,
            "person": policy.approved_by,
            "policy": policy.name,
            "decision": "approve",
            "reason": f"by the standing policy {policy.name!r}",
            "bound_to": desk.bound_to(row, version, gate),
            "recorded_at": desk.work.now,
        }
    )
    desk.announce(
        "promotion.approved", row, version, policy=policy.name, approver=policy.approved_by
    )


def _promote(desk: Desk, row: Any, version: Any) -> None:
    now = desk.work.now
    checked_move(version, row.stage)
    champion = desk.registry.staged(version.model, row.stage)
    replaced = desk.registry.move(
        version, row.stage, desk.work.actor.name, now, promotion_id=row.id
    )
    desk.promotions.set_state(row.id, "promoted", now)
    desk.announce_version(
        "version.promoted", version, stage=row.stage, promotion=row.public_id, replaced=replaced
    )
    desk.moved(version, row.stage, champion)


@performs(contract.withdraw)
def withdraw(work: Work, request: contract.NamePromotion) -> Promotion:
    """Take the request back."""
    desk, row, version = _open_promotion(work, request.promotion)
    desk.promotions.set_state(row.id, "withdrawn", work.now)
    desk.announce("promotion.withdrawn", row, version)
    return desk.shown(desk.promotions.promotion(request.promotion))


@performs(contract.show_promotion)
def show_promotion(work: Work, request: contract.NamePromotion) -> Promotion:
    """One promotion."""
    desk = Desk(work)
    return desk.shown(desk.promotions.promotion(request.promotion))


@performs(contract.list_promotions)
def list_promotions(work: Work, request: contract.ListPromotions) -> list[Promotion]:
    """Newest first."""
    desk = Desk(work)
    rows = desk.promotions.promotions(
        request.model, request.limit, work.actor.models, only_open=request.open
    )
    return [desk.shown(row) for row in rows]


@performs(contract.expire_promotions)
def expire_promotions(work: Work, request: Request) -> Done:
    """Expire what was not decided in time."""
    desk = Desk(work)
    rows = desk.promotions.overdue(work.now)
    for row in rows:
        if row.state == "overridden":
            come_back(desk, row)
            continue
        desk.promotions.set_state(row.id, "expired", work.now)
        desk.announce("promotion.expired", row, desk.registry.version_by_key(row.version_id))
    return Done(count=len(rows))


def _open_promotion(work: Work, public_id: str) -> tuple[Desk, Any, Any]:
    desk = Desk(work)
    row = desk.promotions.promotion(public_id)
    state = row.state if work.now < row.expires_at else "expired"
    if state not in OPEN_STATES:
        raise Conflict(
            f"promotion {public_id} is {state} and cannot change any more", field="promotion"
        )
    return desk, row, desk.registry.version_by_key(row.version_id)
