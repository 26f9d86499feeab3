"""When may a model version move to a stage? Pure rules, no storage, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

STAGES = ("development", "staging", "production", "archived")
"""The stages that every workspace has, in the order in which a version goes through them."""
GATED = ("staging", "production")
"""Those of them that a gate can stand before."""
UNGATED = ("development", "archived")
"""The others: nobody is given what is there."""
RiskTier = Literal["low", "medium", "high"]
TIERS: tuple[RiskTier, ...] = ("low", "medium", "high")
Outcome = Literal["passed", "failed", "not_enough_data"]
PromotionState = Literal[
    "checking", "waiting", "promoted", "rejected", "withdrawn", "failed", "expired",
    "overridden", "confirmed", "returned",
]  # fmt: skip
"""checking: its checks run; waiting: for approvals; failed: a check said no. overridden: it went past
its gate by break-glass; confirmed: a second person stood by that; returned: nobody did in time."""
OPEN_STATES: frozenset[str] = frozenset({"checking", "waiting"})
UNDONE_STATES = OPEN_STATES | {"overridden"}
"""Those that somebody still has to decide on."""
VersionState = Literal["active", "blocked", "revoked"]
"""blocked: held back until somebody lets it go; revoked: never to be used again."""
EXPIRY_DAYS = 14
"""A request that is not decided by then expires (NIST-style review periods are days, not months)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check said of a version, and on what it looked."""

    check: str
    outcome: Outcome
    reason: str
    suite_digest: str
    data_digest: str
    recorded_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word on one request, bound to everything it was given for."""

    person: str
    approves: bool
    bound_to: str
    """The digest of model, suite, data and results at the time."""
    entitled: bool = True
    """Whether they may approve now, and not by the grace of a party alone."""
    belongs: frozenset[str] = frozenset()
    """The roles that they hold now, and their groups as `group:NAME`."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What a stage asks of a version: the checks, who must agree, and how recent all has to be."""

    digest: str
    checks: tuple[str, ...]
    approvals: int
    declared_at: dt.datetime
    approvers: Mapping[str, int] = field(default_factory=dict)
    """How many of them must hold a role, or belong to a `group:NAME`."""
    services: frozenset[str] = frozenset()
    """The service accounts whose approval counts."""
    verdict_hours: int | None = None
    """How old a verdict may be when the version enters."""
    training_days: int | None = None
    """How long ago the run may have been opened."""
    expiry_days: int | None = None
    """How long a request waits for a decision; EXPIRY_DAYS if nothing is said."""
    override_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of the run behind a version."""

    run: str
    opened_at: dt.datetime
    attested: bool
    missing: tuple[str, ...] = field(default=())
    """What a complete run has and this one lacks: data, code, environment."""


def standing_blockers(name: str, state: str, reason: str) -> list[str]:
    """Why a version may enter no stage and be given to nobody, whatever its checks say."""
    return [] if state == "active" else [f"{name} is {state}: {reason}"]


def applicable_suite(suites: Iterable[Suite], opened_at: dt.datetime) -> Suite | None:
    """The newest suite that the server recorded before it recorded the opening of the run."""
    before = [suite for suite in suites if suite.declared_at < opened_at]
    return max(before, key=lambda suite: suite.declared_at, default=None)


def provenance_blockers(
    provenance: Provenance | None, suites: Sequence[Suite], stage: str
) -> list[str]:
    """What the run behind a version lacks before any check is worth running."""
    if provenance is None:
        return ["the version has no tracked run behind it"]
    reasons = [f"run {provenance.run} recorded no {thing}" for thing in provenance.missing]
    if not provenance.attested:
        reasons.append(f"run {provenance.run} is unattested: the server did not see it opening")
    if applicable_suite(suites, provenance.opened_at) is None:
        reasons.append(_undeclared(provenance, suites, stage))
    return reasons


def _undeclared(provenance: Provenance, suites: Sequence[Suite], stage: str) -> str:
    if not suites:
        return f"no suite is declared for the stage {stage!r}"
    first = min(suite.declared_at for suite in suites)
    return (
        f"the suite for {stage!r} was declared at {first.isoformat()}, which is not before run "
        f"{provenance.run} was opened at {provenance.opened_at.isoformat()}"
    )


def check_blockers(
    suite: Suite, verdicts: Iterable[Verdict], now: dt.datetime
) -> tuple[list[str], list[str]]:
    """Which checks have not run yet, or too long ago, and which said no (in words)."""
    latest = {
        v.check: v
        for v in verdicts
        if v.suite_digest == suite.digest and not is_stale(v.recorded_at, suite.verdict_hours, now)
    }
    pending = [check for check in suite.checks if check not in latest]
    refused = [
        f"check {v.check!r} {'failed' if v.outcome == 'failed' else 'had not enough data'}: {v.reason}"
        for check in suite.checks
        if (v := latest.get(check)) is not None and v.outcome != "passed"
    ]
    return pending, refused


def is_stale(recorded_at: dt.datetime, hours: int | None, now: dt.datetime) -> bool:
    """Whether something was said too long ago to count now."""
    return hours is not None and now - recorded_at > dt.timedelta(hours=hours)


def training_blockers(suite: Suite, provenance: Provenance, now: dt.datetime) -> list[str]:
    """Whether the run is too old for the stage."""
    days = suite.training_days
    if days is None or now - provenance.opened_at <= dt.timedelta(days=days):
        return []
    opened = provenance.opened_at.isoformat()
    return [
        f"run {provenance.run} was opened at {opened}, more than {days} days ago: train it anew"
    ]


def valid_approvals(approvals: Iterable[Approval], bound_to: str) -> dict[str, frozenset[str]]:
    """Whose approval counts, with what they belong to: bound to what is here now, each once."""
    return {
        a.person: a.belongs
        for a in approvals
        if a.approves and a.entitled and a.bound_to == bound_to
    }


def approval_blockers(suite: Suite, approvals: Iterable[Approval], bound_to: str) -> list[str]:
    """What is missing in approvals; one person may stand for several of the roles asked for."""
    counted = valid_approvals(approvals, bound_to)
    missing = []
    if len(counted) < suite.approvals:
        missing.append(f"{len(counted)} of {suite.approvals} approvals given")
    for wanted, count in sorted(suite.approvers.items()):
        have = sum(wanted in belongs for belongs in counted.values())
        if have < count:
            missing.append(f"{have} of {count} approvals by {_party_named(wanted)} given")
    return missing


def _party_named(wanted: str) -> str:
    kind, colon, group = wanted.partition(":")
    return f"the group {group!r}" if colon else f"the role {kind!r}"


def four_eyes(approver: str, parties: Iterable[str]) -> list[str]:
    """Why this person may not decide on the request: nobody judges their own work."""
    if approver in set(parties):
        return [f"{approver!r} took part in making or asking for this and may not decide on it"]
    return []


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """A person's approval given beforehand, for what stays within its limits."""

    name: str
    model: str
    stage: str
    approved_by: str | None
    expires_at: dt.datetime
    revoked: bool
    max_promotions: int
    used: int


def policy_blockers(
    policy: StandingPolicy, model: str, stage: str, risk_tier: str, now: dt.datetime
) -> list[str]:
    """Why the policy does not speak for this promotion."""
    reasons = []
    if policy.approved_by is None:
        reasons.append(f"policy {policy.name!r} was not approved by a person yet")
    if policy.revoked:
        reasons.append(f"policy {policy.name!r} was revoked")
    if now >= policy.expires_at:
        reasons.append(f"policy {policy.name!r} expired at {policy.expires_at.isoformat()}")
    if (policy.model, policy.stage) != (model, stage):
        reasons.append(f"policy {policy.name!r} is for {policy.model!r} to {policy.stage!r}")
    if policy.used >= policy.max_promotions:
        reasons.append(f"policy {policy.name!r} has been used {policy.used} times, its limit")
    if risk_tier != "low":
        reasons.append(f"risk tier is {risk_tier!r}; a standing policy decides only for 'low'")
    return reasons
