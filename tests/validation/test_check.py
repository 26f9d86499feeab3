"""Parameters are read strictly, and a verdict needs the whole interval on one side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.validation import data, latency, non_inferiority, performance
from mainspring.validation.check import (
    Check,
    Evidence,
    Finding,
    judge,
    parameters_of,
    read_parameters,
    rows_to_decide,
    scores,
)
from mainspring.validation.statistics import Estimate, auc_estimate

from .evidence import FormulaModel, evidence, holdout


@pytest.mark.parametrize(
    ("check", "given", "field"),
    [
        (performance.check, {"metric": "auc", "minimum": 0.6, "colour": 1}, "colour"),
        (performance.check, {"minimum": 0.6}, "metric"),
        (performance.check, {"metric": "f9", "minimum": 0.6}, "metric"),
        (performance.check, {"metric": "auc", "minimum": "0.6"}, "minimum"),
        (performance.check, {"metric": "auc"}, "minimum"),
        (performance.check, {"metric": "auc", "maximum": 0.6}, "maximum"),
        (performance.check, {"metric": "brier", "minimum": 0.2}, "minimum"),
        (performance.check, {"metric": "log_loss"}, "maximum"),
        (performance.check, {"metric": "auc", "minimum": 0.6, "alpha": 0.5}, "alpha"),
        (latency.check, {}, "p99_ms"),
        (latency.check, {"p99_ms": 0}, "p99_ms"),
        (latency.check, {"p99_ms": 5, "calls": 10}, "calls"),
        (non_inferiority.check, {"margin": 0}, "margin"),
        (data.check, {"max_unseen": 1.5}, "max_unseen"),
    ],
)
def test_bad_parameters_are_refused_by_name(
    check: Check, given: dict[str, Any], field: str
) -> None:
    wanted = parameters_of(check)
    assert wanted is not None

    with pytest.raises(Invalid) as caught:
        read_parameters(wanted, given)

    assert caught.value.field == field


def test_a_check_reads_its_parameters_before_it_runs() -> None:
    with pytest.raises(Invalid, match="colour"):
        latency.check(evidence(), {"p99_ms": 5, "colour": "red"})


def test_a_plain_function_is_a_check_without_declared_parameters() -> None:
    def check(evidence: Evidence, parameters: object) -> Finding:
        return Finding("passed", "as you like it")

    assert parameters_of(check) is None


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.6, 0.7, "passed"),
        (0.61, 0.7, "passed"),
        (0.5, 0.7, "not_enough_data"),
        (0.5, 0.59, "failed"),
    ],
)
def test_judging_against_a_minimum(low: float, high: float, outcome: str) -> None:
    estimate = Estimate((low + high) / 2, low, high, 100, 0.05)

    assert judge(estimate, 0.6, higher_is_better=True) == outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.5, 0.6, "passed"), (0.5, 0.7, "not_enough_data"), (0.61, 0.7, "failed")],
)
def test_judging_against_a_maximum(low: float, high: float, outcome: str) -> None:
    estimate = Estimate((low + high) / 2, low, high, 100, 0.05)

    assert judge(estimate, 0.6, higher_is_better=False) == outcome


def test_the_rows_that_would_decide_do_decide() -> None:
    label, score = _normals(400)
    limit = auc_estimate(label, score).value - 0.03
    needed = rows_to_decide(auc_estimate(label, score), limit)
    assert needed is not None

    larger = auc_estimate(*_normals(round(1.2 * needed)))

    assert needed > 400
    assert larger.high - larger.low == pytest.approx(2 * 0.03 / 1.2**0.5, rel=0.1)


def test_no_number_of_rows_parts_an_estimate_from_itself() -> None:
    assert rows_to_decide(Estimate(0.6, 0.5, 0.7, 100, 0.05), 0.6) is None


def test_a_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(Invalid, match="not finite"):
        scores(FormulaModel(lambda x: np.full_like(x, np.nan)), holdout(50))


def test_a_wrong_number_of_scores_is_refused() -> None:
    with pytest.raises(Invalid, match="gave 3 values of 'score' for 50 rows"):
        scores(FormulaModel(lambda x: x[:3]), holdout(50))


def _normals(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    label = np.arange(n) % 2
    return label, random.normal(label, 1.0)
