"""The rows of suites as the rules see them: which apply, and what they ask together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from mainspring.registry.gate import Gate, NamedCheck, gate_of, labelled, together
from mainspring.registry.promotion import EXPIRY_DAYS, Suite, applicable_suite
from mainspring.registry.promotion_store import suite_of


def applicable(rows: Sequence[Any], opened_at: dt.datetime | None) -> list[Any]:
    """The newest of the rows that was recorded before the run was opened, if there is one."""
    if opened_at is None:
        return []
    found = applicable_suite([suite_of(row) for row in rows], opened_at)
    return [] if found is None else [next(r for r in rows if r.recorded_at == found.declared_at)]


def newest_gates(rows: Sequence[Any], tier: str) -> list[Any]:
    """What the workspace asks today of the models of a tier: of all models, and of that tier."""
    newest = {row.risk_tier: row for row in reversed(rows)}
    return [newest[wanted] for wanted in (None, tier) if wanted in newest]


def checks_of(rows: Sequence[Any]) -> list[NamedCheck]:
    """The checks that the suites ask together."""
    return labelled([[(c["name"], c["parameters"]) for c in row.checks] for row in rows])


def standing_gate(rows: Sequence[Any], today: Sequence[Any]) -> Gate:
    """What the suites that apply ask, with what the workspace asks of people today."""
    suites = [suite_of(row) for row in rows]
    return gate_of(together(suites, checks_of(rows)), suites, [suite_of(row) for row in today])


def expires_at(rows: Sequence[Any], now: dt.datetime) -> dt.datetime:
    """Until when a request waits for a decision: as short as the strictest of the suites says."""
    days = min((row.expiry_days for row in rows if row.expiry_days is not None), default=None)
    return now + dt.timedelta(days=days or EXPIRY_DAYS)


def not_run(check: str, rule: Suite) -> str:
    """That a check has to run, in words."""
    if rule.verdict_hours is None:
        return f"check {check!r} has not run yet"
    return f"check {check!r} has not run yet, or not within {rule.verdict_hours} hours"
