"""Break-glass: past the gate at once, seen by everybody, and back again unless a second person agrees."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mainspring.core.errors import Blocked, Conflict
from mainspring.core.ids import new_id
from mainspring.core.work import Work, performs
from mainspring.registry import override_contract as contract
from mainspring.registry.contract import Promotion
from mainspring.registry.desk import Desk, refused_party
from mainspring.registry.promotion import UNDONE_STATES
from mainspring.registry.stage_store import checked_target
from mainspring.registry.store import checked_move, checked_standing


@performs(contract.override)
def override(work: Work, request: contract.Override) -> Promotion:
    """Move the version now; what is replaced comes back if nobody confirms in time."""
    desk = Desk(work)
    version = desk.registry.version_row(request.model, request.version)
    checked_target(work, request.stage)
    checked_move(version, request.stage)
    suites, hours, champion = _allowed(desk, version, request.stage)
    asked = desk.promotions.open_promotion(version.id, request.stage)
    if asked is not None:
        desk.promotions.set_state(asked.id, "withdrawn", work.now)
        desk.announce("promotion.withdrawn", asked, version, reason="it went past the gate")
    public_id, until = new_id(), work.now + dt.timedelta(hours=hours)
    desk.promotions.add_promotion(
        {
            "public_id": public_id,
            "version_id": version.id,
            "suite_id": suites[0].id,
            "more_suites": [one.id for one in suites[1:]],
            "stage": request.stage,
            "state": "overridden",
            "requested_by": work.actor.name,
            "on_behalf_of": [],
            "reason": request.reason,
            "champion": champion.number,
            "recorded_at": work.now,
            "expires_at": until,
        }
    )
    row = desk.promotions.promotion(public_id)
    desk.registry.move(version, request.stage, work.actor.name, work.now)
    desk.announce(
        "promotion.overridden", row, version,
        reason=request.reason, replaced=champion.number, confirm_by=until.isoformat(),
    )  # fmt: skip
    facts = {"promotion": public_id, "replaced": champion.number, "override": True}
    desk.announce_version("version.promoted", version, stage=request.stage, **facts)
    desk.moved(version, request.stage, champion)
    return desk.shown(row)


def _allowed(desk: Desk, version: Any, stage: str) -> tuple[list[Any], int, Any]:
    """The suites, the hours that they allow and what to come back to; or everything against it."""
    name, reasons = f"{version.model}@{version.number}", []
    if desk.work.actor.kind != "person":
        reasons.append(f"{desk.work.actor.name!r} is a {desk.work.actor.kind}; a person answers")
    if version.digest is None:
        reasons.append("its files are not kept here, or are not those of the run it names")
    gates = desk.gates_today(version, stage)
    suites = [*desk.promotions.suite_rows(version.model, stage)[:1], *gates]
    hours = min((s.override_hours for s in suites if s.override_hours is not None), default=None)
    if hours is None:
        reasons.append(f"the suite for {stage!r} allows no way past the gate (override_hours)")
    # Whoever may declare a suite does not let a model past what the workspace asks of all.
    elif any(gate.override_hours is None for gate in gates):
        reasons.append(
            f"the gate of the workspace for {stage!r} allows no way past it (override_hours)"
        )
    champion = desk.registry.staged(version.model, stage)
    if champion is None or not desk.registry.passed_into(champion.id, stage):
        reasons.append(f"nothing in {stage} passed the gate: there is nothing to come back to")
    if reasons:
        raise Blocked(
            f"{name} may not go into {stage} past its gate: {'; '.join(reasons)}",
            reasons,
            fix=f"mainspring promote {name} --to {stage}",
        )
    assert hours is not None
    return suites, hours, champion


@performs(contract.confirm)
def confirm(work: Work, request: contract.Confirm) -> Promotion:
    """A second person makes it stay."""
    desk = Desk(work)
    row = desk.promotions.promotion(request.promotion)
    version = desk.registry.version_by_key(row.version_id)
    state = row.state if row.state not in UNDONE_STATES or work.now < row.expires_at else "expired"
    if state != "overridden" or version.stage != row.stage:
        raise Conflict(
            f"promotion {request.promotion} is {state}, and {version.model}@{version.number} in "
            f"{version.stage}: there is nothing to confirm",
            field="promotion",
        )
    checked_standing(version)
    refused_party(desk, row, version)
    bound_to = desk.bound_to(row, version, desk.gate(row, version))
    desk.add_decision(row, "confirm", request.reason, bound_to)
    desk.promotions.set_state(row.id, "confirmed", work.now)
    desk.registry.prove(version.id, row.stage, row.id)
    desk.announce("promotion.confirmed", row, version, reason=request.reason)
    return desk.shown(desk.promotions.promotion(request.promotion))


@performs(contract.comment)
def comment(work: Work, request: contract.Comment) -> Promotion:
    """Keep the words beside the decisions; parties may say what they think as well."""
    desk = Desk(work)
    row = desk.promotions.promotion(request.promotion)
    version = desk.registry.version_by_key(row.version_id)
    desk.add_decision(row, "comment", request.text, "")
    desk.announce("promotion.commented", row, version, text=request.text)
    return desk.shown(row)


def come_back(desk: Desk, row: Any) -> None:
    """Nobody confirmed in time: the last version that passed the gate takes its place again."""
    version = desk.registry.version_by_key(row.version_id)
    if version.stage == row.stage:
        passed = [
            one for one in desk.registry.passed(version.model, row.stage) if one.id != version.id
        ]
        if not passed:  # blocked or revoked since: it is tried again, and stays visible
            return
        earlier = next((one for one in passed if one.number == row.champion), passed[0])
        desk.registry.move(earlier, row.stage, desk.work.actor.name, desk.work.now)
        reason = f"nobody confirmed promotion {row.public_id} by {row.expires_at.isoformat()}"
        facts = {"stage": row.stage, "replaced": version.number, "reason": reason}
        desk.announce_version("version.rolled_back", earlier, **facts)
    desk.promotions.set_state(row.id, "returned", desk.work.now)
    desk.announce("promotion.returned", row, version)
