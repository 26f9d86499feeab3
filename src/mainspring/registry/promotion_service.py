"""Promotions: requested, checked, approved, done; the rules are in promotion.py."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Conflict, Forbidden, Invalid
from mainspring.core.ids import new_id
from mainspring.core.operation import Done, Request
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.contract import Promotion
from mainspring.registry.desk import Desk, refused_party, suite_for
from mainspring.registry.override_service import come_back
from mainspring.registry.promotion import (
    EXPIRY,
    OPEN_STATES,
    approval_blockers,
    check_blockers,
    four_eyes,
    policy_blockers,
)
from mainspring.registry.promotion_store import (
    standing_policy,
    suite_of,
    verdict_of,
)
from mainspring.registry.store import checked_move


@performs(contract.request_promotion)
def request_promotion(work: Work, request: contract.RequestPromotion) -> Promotion:
    """Open the request; the checks of its suite start by themselves."""
    desk = Desk(work)
    version = desk.registry.version_row(request.model, request.version)
    checked_move(version, request.stage)
    if request.on_behalf_of and work.actor.kind != "service":
        raise Forbidden(
            f"person {work.actor.name!r} asks for themselves; only a service asks for others",
            field="on_behalf_of",
        )
    known = desk.promotions.open_promotion(version.id, request.stage)
    if known is not None:
        return desk.shown(known)
    suite = suite_for(desk, version, request)
    champion = desk.registry.staged(request.model, request.stage)
    public_id = new_id()
    desk.promotions.add_promotion(
        {
            "public_id": public_id,
            "version_id": version.id,
            "suite_id": suite.id,
            "stage": request.stage,
            "state": "checking",
            "requested_by": work.actor.name,
            "on_behalf_of": request.on_behalf_of,
            "policy": request.policy,
            "reason": request.reason,
            "champion": champion.number if champion else None,
            "recorded_at": work.now,
            "expires_at": work.now + EXPIRY,
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
    suite = suite_for(desk, version, request)
    rule = suite_of(suite)
    missing = [f"check {name!r} has not run yet" for name in rule.checks]
    missing += approval_blockers(rule, [], "")
    return Promotion(
        id="0" * 32,
        model=request.model,
        version=version.number,
        stage=request.stage,
        state="checking",
        requested_by=work.actor.name,
        policy=request.policy,
        reason=request.reason,
        suite_digest=suite.digest,
        bound_to=None,
        missing=missing,
        verdicts=[],
        approvals=[],
        recorded_at=work.now,
        expires_at=work.now + EXPIRY,
        decided_at=None,
    )


@performs(contract.record_verdict)
def record_verdict(work: Work, request: contract.RecordVerdict) -> Promotion:
    """Record what a check said, then see whether the promotion can go on."""
    desk, row, version = _open_promotion(work, request.promotion)
    suite = desk.promotions.suite_by_key(row.suite_id)
    if request.check not in suite_of(suite).checks:
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
            "suite_digest": suite.digest,
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
    suite = desk.promotions.suite_by_key(row.suite_id)
    desk.add_decision(row, request.decision, request.reason, desk.bound_to(row, version, suite))
    kind = "promotion.approved" if request.decision == "approve" else "promotion.rejected"
    desk.announce(kind, row, version, reason=request.reason)
    if request.decision == "reject":
        desk.promotions.set_state(row.id, "rejected", work.now)
    else:
        _advance(desk, row, version)
    return desk.shown(desk.promotions.promotion(request.promotion))


def _advance(desk: Desk, row: Any, version: Any) -> None:
    """Move the request on as far as its checks and approvals let it."""
    suite = desk.promotions.suite_by_key(row.suite_id)
    rule = desk.rule(row, version, suite)
    verdicts = [verdict_of(one) for one in desk.promotions.verdict_rows(row.id)]
    pending, refused = check_blockers(rule, verdicts)
    if pending:
        return
    refused += _champion_changed(desk, row, version)
    if refused:
        desk.promotions.set_state(row.id, "failed", desk.work.now)
        desk.announce("promotion.failed", row, version, reasons=refused)
        return
    bound = desk.bound_to(row, version, suite)
    if row.policy is not None:
        _approve_by_policy(desk, row, version, bound)
    blockers = approval_blockers(rule, desk.promotions.approvals(row.id), bound)
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


def _approve_by_policy(desk: Desk, row: Any, version: Any, bound: str) -> None:
    """Let the person who approved the standing policy be the approver of record, once."""
    if any(one.policy == row.policy for one in desk.promotions.approval_rows(row.id)):
        return
    stored = desk.promotions.policy_row(row.policy)
    policy = standing_policy(stored)
    reasons = policy_blockers(policy, version.model, row.stage, version.risk_tier, desk.work.now)
    if policy.approved_by is not None:
        reasons += four_eyes(policy.approved_by, desk.parties(row, version))
    if stored.suite_digest != desk.promotions.suite_by_key(row.suite_id).digest:
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
            "bound_to": bound,
            "recorded_at": desk.work.now,
        }
    )
    desk.announce(
        "promotion.approved", row, version, policy=policy.name, approver=policy.approved_by
    )


def _promote(desk: Desk, row: Any, version: Any) -> None:
    now = desk.work.now
    checked_move(version, row.stage)
    replaced = desk.registry.move(
        version, row.stage, desk.work.actor.name, now, promotion_id=row.id
    )
    desk.promotions.set_state(row.id, "promoted", now)
    desk.announce_version(
        "version.promoted", version, stage=row.stage, promotion=row.public_id, replaced=replaced
    )


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
