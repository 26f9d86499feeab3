"""Drift is found where it was planted, and seldom where it was not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.monitoring.drift import chi2_quantile, column_drift, psi_limit, summary
from mainspring.validation.profile import DAY_MICROS, build_profile

LETTERS = np.array(list("abcdefg"), dtype=object)
SHARES = [0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01]


def rows(random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Eight columns of the kinds that real data have."""
    return {
        "normal": random.normal(size=n),
        "skewed": random.exponential(size=n),
        "tied": np.where(random.random(n) < 0.85, 10.0, random.integers(0, 10, n).astype(float)),
        "gaps": np.where(random.random(n) < 0.02, np.nan, random.normal(size=n)),
        "rare": (random.random(n) < 0.02).astype(float),
        "letter": random.choice(LETTERS, n, p=SHARES),
        "constant": np.ones(n),
        "empty": np.full(n, np.nan),
    }


def drifted(
    reference: dict[str, np.ndarray], window: dict[str, np.ndarray], times: np.ndarray | None = None
) -> tuple[str, ...]:
    return summary(column_drift(build_profile(reference, times), window)).drifted_columns


@pytest.mark.parametrize(
    ("degrees", "probability", "exact"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.4.
    [
        (1, 0.95, 3.841),
        (1, 0.999, 10.828),
        (4, 0.95, 9.488),
        (4, 0.999, 18.467),
        (9, 0.95, 16.919),
        (9, 0.999, 27.877),
        (40, 0.95, 55.758),
        (40, 0.999, 73.402),
    ],
)
def test_the_chi2_quantile_is_close_to_the_table(
    degrees: int, probability: float, exact: float
) -> None:
    # Where it errs, at few degrees far out, it errs towards fewer alarms.
    assert 0.97 * exact <= chi2_quantile(probability, degrees) <= 1.04 * exact


def test_a_reference_without_periods_leaves_counting_noise_alone() -> None:
    column = build_profile({"x": np.random.default_rng(0).normal(size=10_000)}).columns[0]

    limit = psi_limit(column, 500, 0.999)

    assert limit == pytest.approx((1 / 10_000 + 1 / 500) * 27.877, rel=0.01)


def test_false_alarms_keep_to_their_budget() -> None:
    """The promise is one window in 100; of 600 windows 6 are expected, 14 is the 99.9 % end."""
    random = np.random.default_rng(11)
    profiles = [
        build_profile(rows(random, 20_000), np.repeat(np.arange(20), 1000) * DAY_MICROS)
        for _ in range(6)
    ]

    alarms = sum(
        any(drift.drifted for drift in column_drift(profile, rows(random, size)))
        for profile in profiles
        for size in (200, 1000)
        for _ in range(50)
    )

    assert alarms <= 14


PLANTED: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "normal": lambda values, _: values + 0.25,
    "skewed": lambda values, _: values * 1.5,
    "tied": lambda values, random: np.where(random.random(len(values)) < 0.1, 3.0, values),
    "gaps": lambda values, random: np.where(random.random(len(values)) < 0.06, np.nan, values),
    "rare": lambda values, random: (random.random(len(values)) < 0.05).astype(float),
    "letter": lambda values, random: np.where(random.random(len(values)) < 0.02, "new", values),
    "constant": lambda values, _: values * 100,
    "empty": lambda values, _: np.ones(len(values)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_drift_is_found_and_named(name: str) -> None:
    random = np.random.default_rng(12)
    reference, window = rows(random, 20_000), rows(random, 2000)
    window[name] = PLANTED[name](window[name], random)

    assert drifted(reference, window) == (name,)


def test_the_usual_difference_between_days_does_not_alarm() -> None:
    random = np.random.default_rng(13)
    habits = random.normal(0, 0.5, 260)
    day = np.repeat(np.arange(60), 500)
    reference = {"x": random.normal(size=30_000) + habits[day]}
    profile = build_profile(reference, day * DAY_MICROS)
    windows = [random.normal(size=500) + habit for habit in habits[60:]]

    alarms = sum(column_drift(profile, {"x": window})[0].drifted for window in windows)
    by_size_alone = sum(
        column_drift(build_profile(reference), {"x": window})[0].drifted for window in windows
    )

    assert alarms <= 8  # of 200; 2 promised, 99.9 % of a binomial
    assert by_size_alone > 100


def test_a_shift_beyond_the_usual_difference_alarms() -> None:
    random = np.random.default_rng(14)
    day = np.repeat(np.arange(60), 500)
    reference = {"x": random.normal(size=30_000) + random.normal(0, 0.3, 60)[day]}

    assert drifted(reference, {"x": random.normal(2.0, 1, 500)}, day * DAY_MICROS) == ("x",)


def test_prediction_drift_is_the_drift_of_the_scores() -> None:
    random = np.random.default_rng(15)
    profile = build_profile(rows(random, 5000) | {"score": random.beta(2, 6, 5000)})

    (same,) = column_drift(profile, {"score": random.beta(2, 6, 1000)})
    (moved,) = column_drift(profile, {"score": random.beta(3, 6, 1000)})

    assert (same.drifted, moved.drifted) == (False, True)


def test_the_summary_names_the_worst_column() -> None:
    random = np.random.default_rng(16)
    window = rows(random, 2000)
    window["normal"], window["rare"] = window["normal"] + 9, window["rare"] + 1

    drifts = column_drift(build_profile(rows(random, 20_000)), window)
    told = summary(drifts)

    assert told.drifted_columns == ("normal", "rare")
    assert (told.columns, told.share) == (8, 0.25)
    assert told.score == max(drift.psi / drift.limit for drift in drifts) > 1
    assert told.worst in ("normal", "rare")


def test_the_missing_share_is_told() -> None:
    reference = {"x": np.random.default_rng(17).normal(size=1000)}

    (drift,) = column_drift(build_profile(reference), {"x": np.array([1.0, np.nan])})

    assert drift.missing_share == 0.5


@pytest.mark.parametrize(
    ("window", "message"),
    [({}, "no columns to compare"), ({"x": np.empty(0)}, "'x' has no rows")],
)
def test_an_empty_window_is_refused(window: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        column_drift(build_profile({"x": np.ones(10)}), window)


def test_nothing_to_sum_up_is_refused() -> None:
    with pytest.raises(Invalid, match="no columns to sum up"):
        summary([])
