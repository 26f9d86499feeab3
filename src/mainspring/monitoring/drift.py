"""Has a window of traffic moved away from the reference by more than chance and habit explain?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.validation.profile import ColumnProfile, Profile, bins_of, psi

FALSE_ALARMS = 0.01
"""The budget: one window in a hundred without drift may show a drifted column."""


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column of one window."""

    name: str
    psi: float
    limit: float
    missing_share: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """One window: `score` is the largest PSI as a multiple of its limit, `worst` its column."""

    drifted_columns: tuple[str, ...]
    columns: int
    share: float
    worst: str
    score: float


def column_drift(
    profile: Profile, window: Mapping[str, np.ndarray], false_alarms: float = FALSE_ALARMS
) -> list[ColumnDrift]:
    """Compare each column of the window with the profile; the budget is shared (Bonferroni).

    Prediction drift is the same question about one column: pass the window of scores alone.
    """
    if not window:
        raise Invalid("the window has no columns to compare", field="window")
    level = 1 - false_alarms / len(window)
    return [_drift(profile.column(name), window[name], level) for name in window]


def summary(drifts: Sequence[ColumnDrift]) -> DriftSummary:
    if not drifts:
        raise Invalid("there are no columns to sum up", field="drifts")
    drifted = tuple(drift.name for drift in drifts if drift.drifted)
    worst = max(drifts, key=lambda drift: drift.psi / drift.limit)
    return DriftSummary(
        drifted_columns=drifted,
        columns=len(drifts),
        share=len(drifted) / len(drifts),
        worst=worst.name,
        score=worst.psi / worst.limit,
    )


def psi_limit(column: ColumnProfile, rows: int, level: float) -> float:
    """What the PSI of `rows` rows stays under with probability `level` when nothing has changed.

    Two noises add up. Counting: PSI ~ (1/n + 1/m) chi2(k-1) for n reference and m window rows
    (Yurdakul 2018, "Statistical properties of the population stability index"). And habit: one
    day differs from another by weather, weekday, campaigns; the profile holds mean b and standard
    deviation s of that part over its D days, and 1 + 1/D allows for their being estimates:

        mean = (k-1) (1/n + 1/m) + b
        variance = 2 (k-1) (1/n + 1/m)^2 + (1 + 1/D) s^2

    The limit is the quantile of the scaled chi2 with this mean and variance (Satterthwaite 1946),
    of one degree of freedom at least: one odd day in the reference tells no heavier tail. Without
    a between-day part it is exactly the counting quantile.
    """
    degrees, spread = column.degrees_of_freedom, column.spread
    noise = 1 / column.n + 1 / rows
    mean = degrees * noise + spread.between
    variance = 2 * degrees * noise**2
    if spread.periods:
        variance += (1 + 1 / spread.periods) * spread.between_sd**2
    matched = max(1.0, 2 * mean**2 / variance)
    return math.sqrt(variance / (2 * matched)) * chi2_quantile(level, matched)


def chi2_quantile(probability: float, degrees: float) -> float:
    """The cube-root normal approximation of Wilson & Hilferty (PNAS 17, 1931, p. 684)."""
    z = NormalDist().inv_cdf(probability)
    part = 2 / (9 * degrees)
    return float(degrees * max(0.0, 1 - part + z * math.sqrt(part)) ** 3)


def _drift(column: ColumnProfile, values: np.ndarray, level: float) -> ColumnDrift:
    rows = len(values)
    if rows == 0:
        raise Invalid(f"the window of the column {column.name!r} has no rows", field=column.name)
    counts = np.bincount(bins_of(column, values), minlength=len(column.counts))
    distance, limit = psi(column.proportions, counts), psi_limit(column, rows, level)
    missing = float(counts[-1] / rows)
    return ColumnDrift(column.name, distance, limit, missing, drifted=distance > limit)
