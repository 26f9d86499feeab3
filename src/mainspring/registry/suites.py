"""Which suites apply to a version, and what they ask together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import Blocked
from mainspring.registry.contract import RequestPromotion
from mainspring.registry.desk import Desk
from mainspring.registry.promotion import (
    policy_blockers,
    provenance_blockers,
    standing_blockers,
    training_blockers,
)
from mainspring.registry.promotion_store import standing_policy, suite_of
from mainspring.registry.standing_gate import applicable, newest_gates, standing_gate


def suites_for(desk: Desk, version: Any, request: RequestPromotion) -> list[Any]:
    """The suites that apply to the version, or the refusal that says everything against it."""
    own = desk.promotions.suite_rows(request.model, request.stage)
    provenance = desk.provenance(version)
    opened_at = provenance.opened_at if provenance else None
    tier = desk.tier(version, opened_at)
    gates = desk.promotions.gate_rows(request.stage)
    rows = [*applicable(own, opened_at), *_of_workspace(gates, tier, opened_at)]
    name = f"{request.model}@{request.version}"
    reasons = standing_blockers(name, version.state, version.state_reason)
    if version.digest is None:
        reasons.insert(0, "its files are not kept here, or are not those of the run it names")
    declared = [suite_of(row) for row in own or _all_of(gates, tier)]
    reasons += provenance_blockers(provenance, declared, request.stage)
    if provenance is not None and rows:
        rule = standing_gate(rows, newest_gates(gates, tier)).rule
        reasons += training_blockers(rule, provenance, desk.work.now)
    reasons += desk.unsaid(version, request.stage)
    if request.policy is not None:
        policy = standing_policy(desk.promotions.policy_row(request.policy))
        reasons += policy_blockers(policy, request.model, request.stage, tier, desk.work.now)
    if reasons:
        raise Blocked(
            f"{name} may not enter {request.stage}: {'; '.join(reasons)}",
            reasons,
            fix="declare the suite first, then train: mainspring suite declare",
        )
    return rows


def _of_workspace(gates: Sequence[Any], tier: str, opened_at: Any) -> list[Any]:
    return [
        row
        for wanted in (None, tier)
        for row in applicable([gate for gate in gates if gate.risk_tier == wanted], opened_at)
    ]


def _all_of(gates: Sequence[Any], tier: str) -> list[Any]:
    return [row for row in gates if row.risk_tier in (None, tier)]
