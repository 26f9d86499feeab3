"""The metrics and intervals, against scikit-learn, published numbers and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from mainspring.core.errors import Invalid
from mainspring.validation import statistics
from mainspring.validation.parameters import Metric
from mainspring.validation.statistics import (
    ESTIMATES,
    accuracy_estimate,
    auc,
    auc_difference,
    auc_estimate,
    mae_estimate,
    rate_estimate,
    relative_improvement,
    rmse_estimate,
)


def rows(n: int, seed: int = 0, positives: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = random.random(n) < positives
    return label, np.clip(random.beta(2, 4, n) + 0.15 * label, 0.001, 0.999)


def test_the_auc_is_that_of_scikit_learn() -> None:
    label, score = rows(500)

    assert auc(label, score) == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-12)


def test_ties_count_half() -> None:
    label, score = rows(500)
    coarse = np.round(score, 1)

    assert auc(label, coarse) == pytest.approx(metrics.roc_auc_score(label, coarse), abs=1e-12)
    assert auc(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        ("log_loss", metrics.log_loss),
        ("brier", metrics.brier_score_loss),
        ("rmse", metrics.root_mean_squared_error),
        ("mae", metrics.mean_absolute_error),
    ],
)
def test_a_loss_is_that_of_scikit_learn(metric: Metric, reference: object) -> None:
    label, score = rows(500)
    assert callable(reference)

    estimate = ESTIMATES[metric](label, score, 0.05)

    assert estimate.value == pytest.approx(reference(label.astype(float), score), abs=1e-12)
    assert estimate.low < estimate.value < estimate.high


def test_accuracy_cuts_at_one_half() -> None:
    label, score = rows(500)

    assert accuracy_estimate(label, score).value == metrics.accuracy_score(label, score >= 0.5)


def test_a_certain_and_wrong_score_has_a_finite_log_loss() -> None:
    label, score = np.array([1, 0, 1, 0]), np.array([0.0, 0.2, 0.9, 1.0])

    estimate = ESTIMATES["log_loss"](label, score, 0.05)

    assert estimate.value == pytest.approx(metrics.log_loss(label, score), rel=1e-6)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3 (the score method).
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(count: int, n: int, low: float, high: float) -> None:
    estimate = rate_estimate(count, n)

    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


def test_wilson_ends_exactly_at_one() -> None:
    assert rate_estimate(20, 20).high == 1.0


def test_delong_agrees_with_its_definition() -> None:
    """DeLong et al. 1988, equations 4 to 6, by all pairs instead of midranks."""
    label, score = rows(120)
    other = np.round(np.clip(score + np.random.default_rng(1).normal(0, 0.1, 120), 0, 1), 1)
    positive = label.astype(bool)
    kernels = [
        (s[positive][:, None] > s[~positive][None]) + 0.5 * (s[positive][:, None] == s[~positive])
        for s in (score, other)
    ]
    across = np.cov([kernel.mean(axis=1) for kernel in kernels]) / positive.sum()
    down = np.cov([kernel.mean(axis=0) for kernel in kernels]) / (~positive).sum()
    wanted = across + down

    value, covariance = statistics._delong(label, np.stack([score, other]))

    assert value == pytest.approx([kernel.mean() for kernel in kernels], abs=1e-12)
    assert covariance == pytest.approx(wanted, abs=1e-14)


def test_the_interval_of_an_auc_covers_the_truth() -> None:
    """Two normals one standard deviation apart: the AUC is Phi(1/sqrt 2) = 0.7602."""
    truth = 0.5 * (1 + math.erf(0.5))
    random = np.random.default_rng(7)
    label = np.repeat([0, 1], [140, 60])
    samples = [auc_estimate(label, random.normal(label, 1.0)) for _ in range(1000)]

    covered = sum(sample.low <= truth <= sample.high for sample in samples)

    assert 930 <= covered <= 968  # 950 nominal, 99 % of a binomial


def test_the_interval_of_a_difference_covers_the_truth() -> None:
    random = np.random.default_rng(8)
    label = np.repeat([0, 1], [140, 60])

    def once() -> bool:
        shared = random.normal(label, 1.0)
        estimate = auc_difference(
            label, shared + random.normal(0, 0.5, 200), shared + random.normal(0, 0.5, 200)
        )
        return estimate.low <= 0 <= estimate.high

    assert 930 <= sum(once() for _ in range(1000)) <= 968


def test_the_bootstrap_of_a_mean_error_covers_the_truth() -> None:
    random = np.random.default_rng(9)
    truth = math.sqrt(2 / math.pi)
    samples = [mae_estimate(np.zeros(200), random.normal(size=200)) for _ in range(200)]

    covered = sum(sample.low <= truth <= sample.high for sample in samples)

    assert 181 <= covered <= 198


def test_the_same_rows_give_the_same_bootstrap() -> None:
    label, score = rows(300)

    assert rmse_estimate(label, score) == rmse_estimate(label, score)


def test_the_same_model_twice_differs_by_nothing() -> None:
    label, score = rows(300)

    estimate = auc_difference(label, score, score)

    assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_the_interval_of_an_auc_stays_between_0_and_1() -> None:
    label = np.array([0] * 30 + [1] * 6)
    score = np.linspace(0, 1, 36)
    score[29], score[30] = score[30], score[29]

    estimate = auc_estimate(label, score)

    assert 0 < estimate.low < estimate.value < estimate.high < 1


@pytest.mark.parametrize(("sign", "value"), [(1, 1.0), (-1, 0.0)])
def test_a_perfect_order_still_has_an_interval(sign: int, value: float) -> None:
    label = np.array([0] * 30 + [1] * 10)

    estimate = auc_estimate(label, sign * np.linspace(0, 1, 40))

    assert estimate.value == value
    assert estimate.high - estimate.low == pytest.approx(1 - 0.025 ** (1 / 10))


@pytest.mark.parametrize("label", [np.zeros(9), np.ones(9)])
def test_an_auc_of_one_class_is_refused(label: np.ndarray) -> None:
    with pytest.raises(Invalid, match="needs rows of both classes"):
        auc(label, np.linspace(0, 1, 9))


def test_an_auc_interval_of_one_positive_is_refused() -> None:
    with pytest.raises(Invalid, match="found 1 positive, 8 negative"):
        auc_estimate(np.array([1] + [0] * 8), np.linspace(0, 1, 9))


@pytest.mark.parametrize("metric", ["log_loss", "brier", "rmse", "mae"])
def test_an_interval_of_one_row_is_refused(metric: Metric) -> None:
    with pytest.raises(Invalid, match="at least 2 rows, found 1"):
        ESTIMATES[metric](np.array([1.0]), np.array([0.5]), 0.05)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="at least one row"):
        rate_estimate(0, 0)


def test_a_faultless_champion_leaves_no_share_to_save() -> None:
    with pytest.raises(Invalid, match="makes no error at all"):
        relative_improvement(np.ones(5), np.zeros(5))
