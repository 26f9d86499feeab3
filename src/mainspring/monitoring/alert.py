"""When does a monitor raise an alert, and who is told next? Pure rules, no storage, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MonitorKind = Literal["data_drift", "prediction_drift", "performance"]
Severity = Literal["info", "warning", "critical"]
Action = Literal["notify", "incident"]
AlertState = Literal["open", "acknowledged", "resolved"]

METRICS: dict[str, tuple[str, ...]] = {
    "data_drift": ("share", "drifted_columns", "score"),
    "prediction_drift": ("psi", "score"),
    "performance": ("auc", "auc_drop", "log_loss", "brier", "rmse", "mae"),
}
"""What each kind of monitor can watch. A drift `score` is the PSI as a multiple of its own limit;
`auc_drop` is the version's AUC on its hold-out less the realised one."""
HIGHER_IS_BETTER = frozenset({"auc"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What a monitor watches, and how many windows it takes."""

    kind: MonitorKind
    metric: str
    threshold: float
    breaches: int
    """n of the last m windows must breach."""
    windows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a monitor saw in one window; no value means that there was not enough data."""

    value: float | None
    breached: bool
    reason: str


def read(rule: Rule, measurements: Mapping[str, Any]) -> Reading:
    """Compare one window's measurement with the threshold.

    A performance value breaches only when the whole of its confidence interval is on the wrong
    side: one unlucky day is not a worse model.
    """
    part = measurements.get(rule.kind) or {}
    found = part.get(rule.metric)
    if found is None:
        return Reading(None, False, part.get("reason") or "not enough data")
    if rule.kind != "performance":
        value = float(found)
        return Reading(value, value > rule.threshold, f"{rule.metric} {value:.4g}")
    value, low, high = (float(found[name]) for name in ("value", "low", "high"))
    better = rule.metric in HIGHER_IS_BETTER
    breached = high < rule.threshold if better else low > rule.threshold
    reason = f"{rule.metric} {value:.4g} [{low:.4g}, {high:.4g}]"
    share = (part.get("coverage") or {}).get("share")
    covered = "" if share is None else f" of the {share:.1%} that have a label"
    return Reading(value, breached, reason + covered)


def fires(rule: Rule, breaches: Sequence[bool]) -> bool:
    """Whether n of the last m windows breached; `breaches` is in time order, the newest last."""
    return sum(breaches[-rule.windows :]) >= rule.breaches


def calms(rule: Rule, breaches: Sequence[bool]) -> bool:
    """Whether an open alert may close by itself: m windows in a row without a breach."""
    return len(breaches) >= rule.windows and not any(breaches[-rule.windows :])


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Who is told when nobody has acknowledged for a while."""

    after: dt.timedelta
    notify: tuple[str, ...]


def next_escalation(
    steps: Sequence[EscalationStep], taken: int, raised_at: dt.datetime
) -> tuple[EscalationStep, dt.datetime] | None:
    """The step after the `taken` ones, and when it is due; None when all were taken."""
    if taken >= len(steps):
        return None
    return steps[taken], raised_at + steps[taken].after
