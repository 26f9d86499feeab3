"""What an alert leads to at each level of autonomy, and what holds it back. Pure rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal[0, 1, 2, 3]
LEVELS = {
    0: "manual: an alert tells people, a person starts a retraining",
    1: "proposed: an alert proposes a retraining, a person accepts it",
    2: "continuous: an alert starts a retraining, a person approves the promotion",
    3: "autonomous: as 2, and a standing policy that a person approved decides the promotion",
}
RetrainingState = Literal[
    "proposed", "requested", "training", "validating", "waiting", "promoted",
    "done", "refused", "failed", "cancelled",
]  # fmt: skip
ACTIVE: frozenset[str] = frozenset(
    {"proposed", "requested", "training", "validating", "waiting", "promoted"}
)
ORDER = ("proposed", "requested", "training", "validating", "waiting", "promoted", "done")


@dataclass(frozen=True, slots=True)
class Brakes:
    """What keeps a model from being retrained too often."""

    cooldown: dt.timedelta
    """By the data's clock, from one trigger to the next."""
    max_attempts: int
    """How many retrainings may fail or be refused in a row before a person has to look."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier retraining."""

    state: str
    event_time: dt.datetime


def held_back(brakes: Brakes, attempts: Sequence[Attempt], event_time: dt.datetime) -> list[str]:
    """Why an alert at this time starts nothing; `attempts` is in time order, the newest last."""
    reasons = []
    if any(attempt.state in ACTIVE for attempt in attempts):
        reasons.append("a retraining of the model is under way")
    if attempts and event_time - attempts[-1].event_time < brakes.cooldown:
        since = attempts[-1].event_time
        reasons.append(
            f"cooldown of {brakes.cooldown.days} days since the last one at {since:%Y-%m-%d}"
        )
    row = _unsuccessful_in_a_row(attempts)
    if row >= brakes.max_attempts:
        reasons.append(f"{row} retrainings in a row did not reach production: a person has to look")
    return reasons


def _unsuccessful_in_a_row(attempts: Sequence[Attempt]) -> int:
    count = 0
    for attempt in reversed(attempts):
        if attempt.state not in ("failed", "refused"):
            break
        count += 1
    return count


def first_state(level: int) -> RetrainingState | None:
    """What an alert makes at the level: nothing, a proposal, or a request."""
    states: dict[int, RetrainingState | None] = {0: None, 1: "proposed"}
    return states.get(level, "requested")


def may_advance(before: str, after: str) -> bool:
    """Whether a retraining may go from one state to the other; repeating a state is fine."""
    if before not in ACTIVE:
        return before == after
    if after in ("refused", "failed", "cancelled"):
        return True
    return ORDER.index(after) >= ORDER.index(before)
