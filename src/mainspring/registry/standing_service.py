"""Versions are blocked, let go and revoked; what was asked for them ends with that."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Blocked, Conflict
from mainspring.core.work import Work, performs
from mainspring.registry import standing_contract as contract
from mainspring.registry.desk import Desk, by_grace
from mainspring.registry.model import ModelVersion
from mainspring.registry.promotion import VersionState, four_eyes, standing_blockers
from mainspring.registry.promotion_store import Since

KINDS: dict[VersionState, str] = {
    "blocked": "version.blocked",
    "active": "version.unblocked",
    "revoked": "version.revoked",
}


@performs(contract.block)
def block(work: Work, request: contract.Judge) -> ModelVersion:
    """Hold it back; where it is served it goes on being served until another takes its place."""
    desk, row = _found(work, request)
    if row.state == "blocked":
        raise Conflict(f"{_name(row)} is blocked already: {row.state_reason}", field="version")
    return _judged(desk, row, "blocked", request.reason)


@performs(contract.unblock)
def unblock(work: Work, request: contract.Judge) -> ModelVersion:
    """Let it go: a second person's word, as it is one on the version."""
    desk, row = _found(work, request)
    if row.state != "blocked":
        raise Conflict(f"{_name(row)} is {row.state}, not blocked", field="version")
    run = desk.tracking.find_run(row.run) if row.run else None
    makers = desk.answering({row.registered_by, *([run.author] if run else [])})
    refusal = four_eyes(work.actor.name, makers)
    if work.actor.kind != "person":
        refusal.append(f"{work.actor.name!r} is a {work.actor.kind}")
    since = Since(frozenset(makers), run.opened_at if run else row.recorded_at)
    refusal = refusal or by_grace(desk, since)
    if refusal:
        raise Blocked(f"{_name(row)} stays blocked: {'; '.join(refusal)}", refusal)
    return _judged(desk, row, "active", request.reason)


@performs(contract.revoke)
def revoke(work: Work, request: contract.Judge) -> ModelVersion:
    """Take it out of use for ever; what is in production is replaced first."""
    desk, row = _found(work, request)
    if row.stage == "production":
        raise Conflict(
            f"{_name(row)} is in production, which would be left empty",
            field="version",
            fix=f"mainspring rollback {row.model}@EARLIER --reason ..., then revoke it",
        )
    return _judged(desk, row, "revoked", request.reason)


def _found(work: Work, request: contract.Judge) -> tuple[Desk, Any]:
    desk = Desk(work)
    row = desk.registry.version_row(request.model, request.version)
    if row.model_kind == "prompt":
        raise Conflict(f"{row.model!r} is a prompt, which nothing gates or serves", field="model")
    if row.state == "revoked":
        raise Conflict(f"{_name(row)} is revoked: {row.state_reason}", field="version")
    return desk, row


def _judged(desk: Desk, row: Any, state: VersionState, reason: str) -> ModelVersion:
    desk.registry.set_state(row.id, state, reason if state != "active" else "", desk.work.now)
    desk.announce_version(KINDS[state], row, stage=row.stage, reason=reason)
    version = desk.registry.version_row(row.model, row.number)
    if state != "active":
        reasons = standing_blockers(_name(row), state, reason)
        for promotion in desk.promotions.open_of(row.id):
            desk.promotions.set_state(promotion.id, "failed", desk.work.now)
            desk.announce("promotion.failed", promotion, version, reasons=reasons)
    return desk.registry.version_of(version)


def _name(row: Any) -> str:
    return f"{row.model}@{row.number}"
