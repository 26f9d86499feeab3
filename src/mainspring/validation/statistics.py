"""Metrics with their confidence intervals, in numpy alone.

An interval is two-sided at level 1 - alpha and takes the rows as independent; rows that come in
clusters (days, customers) make it too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.validation.parameters import Metric

BOOTSTRAPS = 1000
SMALLEST_PROBABILITY = 2.0**-52  # as in scikit-learn, else one row makes the mean infinite


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric on a sample, with the interval in which the truth lies at level 1 - alpha."""

    value: float
    low: float
    high: float
    n: int
    alpha: float


def normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def auc(label: np.ndarray, score: np.ndarray) -> float:
    """The chance that a positive scores higher than a negative; a tie counts half."""
    positive = _both_classes(label)
    ranks = _midranks(score)
    m, n = np.count_nonzero(positive), np.count_nonzero(~positive)
    return float((ranks[positive].sum() - m * (m + 1) / 2) / (m * n))


def auc_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    """DeLong's interval, on the logit scale so that it stays within 0 and 1."""
    value, variance = _delong(label, score[np.newaxis])
    area, error = float(value[0]), math.sqrt(float(variance[0, 0]))
    if not 0 < area < 1:
        return _perfect(area, label, alpha)
    width = -normal_quantile(alpha / 2) * error / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return Estimate(area, _logistic(middle - width), _logistic(middle + width), len(label), alpha)


def auc_difference(
    label: np.ndarray, score: np.ndarray, other: np.ndarray, alpha: float = 0.05
) -> Estimate:
    """The AUC of `score` less that of `other` on the same rows, with DeLong's paired interval."""
    value, covariance = _delong(label, np.stack([score, other]))
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _normal(float(value[0] - value[1]), math.sqrt(max(variance, 0.0)), len(label), alpha)


def accuracy_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    """The share of rows on the right side of one half."""
    right = int(np.count_nonzero((score >= 0.5) == label.astype(bool)))
    return rate_estimate(right, len(label), alpha)


def rate_estimate(count: int, n: int, alpha: float = 0.05) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927)."""
    if n == 0:
        raise Invalid("a rate needs at least one row, found none", field="n")
    z = -normal_quantile(alpha / 2)
    share = count / n
    shrink = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    width = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 and n the formula's exact ends are 0 and 1; rounding misses them by an ulp.
    low = 0.0 if count == 0 else middle - width
    high = 1.0 if count == n else middle + width
    return Estimate(share, low, high, n, alpha)


def log_loss_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    """The mean of minus the log of the probability given to what happened."""
    chance = np.clip(np.where(label.astype(bool), score, 1 - score), SMALLEST_PROBABILITY, 1.0)
    return _mean(-np.log(chance), alpha)


def brier_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    return _mean((score - label.astype(np.float64)) ** 2, alpha)


def rmse_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    return bootstrap_mean((score - label.astype(np.float64)) ** 2, alpha, math.sqrt)


def mae_estimate(label: np.ndarray, score: np.ndarray, alpha: float = 0.05) -> Estimate:
    return bootstrap_mean(np.abs(score - label.astype(np.float64)), alpha)


def bootstrap_mean(
    losses: np.ndarray, alpha: float = 0.05, then: Callable[[float], float] = float
) -> Estimate:
    """`then` of the mean loss, with a percentile bootstrap of fixed seed (Efron 1979)."""
    return _bootstrap(losses[:, np.newaxis], alpha, lambda means: then(float(means[0])))


def relative_improvement(losses: np.ndarray, other: np.ndarray, alpha: float = 0.05) -> Estimate:
    """The share of the other model's mean loss that is saved, by a paired bootstrap."""
    if not other.any():
        raise Invalid("the champion makes no error at all, so no share of it can be saved")
    pairs = np.stack([losses, other], axis=1)
    return _bootstrap(pairs, alpha, lambda means: 1 - float(means[0] / means[1]))


ESTIMATES: dict[Metric, Callable[[np.ndarray, np.ndarray, float], Estimate]] = {
    "auc": auc_estimate,
    "accuracy": accuracy_estimate,
    "log_loss": log_loss_estimate,
    "brier": brier_estimate,
    "rmse": rmse_estimate,
    "mae": mae_estimate,
}


def _delong(label: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The AUC of each row of `scores` and their covariance.

    DeLong et al. 1988, by the midranks of Sun & Xu, IEEE Signal Processing Letters 21 (2014) 1389.
    """
    positive = _both_classes(label)
    m, n = int(np.count_nonzero(positive)), int(np.count_nonzero(~positive))
    if m < 2 or n < 2:
        raise Invalid(
            f"the variance of an AUC needs 2 rows of each class, found {m} positive, {n} negative",
            field="label",
        )
    among_all = np.stack([_midranks(score) for score in scores])
    among_positive = np.stack([_midranks(score[positive]) for score in scores])
    among_negative = np.stack([_midranks(score[~positive]) for score in scores])
    of_positive = (among_all[:, positive] - among_positive) / n
    of_negative = 1 - (among_all[:, ~positive] - among_negative) / m
    covariance = np.atleast_2d(np.cov(of_positive)) / m + np.atleast_2d(np.cov(of_negative)) / n
    return of_positive.mean(axis=1), covariance


def _both_classes(label: np.ndarray) -> np.ndarray:
    positive = label.astype(bool)
    if not positive.any() or positive.all():
        found = "no positive" if not positive.any() else "no negative"
        raise Invalid(f"an AUC needs rows of both classes, found {found} row", field="label")
    return positive


def _midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, at, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: np.ndarray = (last - (count - 1) / 2)[at]
    return ranks


def _perfect(area: float, label: np.ndarray, alpha: float) -> Estimate:
    """The interval at 0 or 1, where DeLong's variance is nought.

    The smaller class gives m independent pairs; all of them are in order with chance area^m, so
    the exact bound is (alpha/2)^(1/m), as for a share of m out of m (Clopper & Pearson 1934).
    """
    positives = int(np.count_nonzero(label))
    bound = (alpha / 2) ** (1 / min(positives, len(label) - positives))
    low, high = (bound, 1.0) if area == 1 else (0.0, 1 - bound)
    return Estimate(area, low, high, len(label), alpha)


def _bootstrap(
    rows: np.ndarray, alpha: float, statistic: Callable[[np.ndarray], float]
) -> Estimate:
    n = len(rows)
    if n < 2:
        raise Invalid(f"an interval needs at least 2 rows, found {n}", field="n")
    random = np.random.default_rng(20130101)
    draws = [statistic(rows[random.integers(0, n, n)].mean(axis=0)) for _ in range(BOOTSTRAPS)]
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
    return Estimate(statistic(rows.mean(axis=0)), float(low), float(high), n, alpha)


def _mean(losses: np.ndarray, alpha: float) -> Estimate:
    n = len(losses)
    if n < 2:
        raise Invalid(f"an interval needs at least 2 rows, found {n}", field="n")
    return _normal(float(losses.mean()), float(losses.std(ddof=1)) / math.sqrt(n), n, alpha)


def _normal(value: float, error: float, n: int, alpha: float) -> Estimate:
    width = -normal_quantile(alpha / 2) * error
    return Estimate(value, value - width, value + width, n, alpha)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
