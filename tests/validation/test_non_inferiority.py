"""A challenger passes when it is shown to be nearly as good, on the same rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mainspring.validation.non_inferiority import check

from .evidence import FixedModel, FormulaModel, evidence, holdout, logistic


def noisy(strength: float, seed: int = 1) -> FormulaModel:
    """The true chance, blurred the same way on every call."""

    def formula(x: np.ndarray) -> np.ndarray:
        return logistic(x + np.random.default_rng(seed).normal(0, strength, len(x)))

    return FormulaModel(formula)


def test_the_first_version_has_no_one_to_beat() -> None:
    finding = check(evidence(), {})

    assert (finding.outcome, finding.reason) == ("passed", "there is no champion")


def test_a_better_challenger_passes() -> None:
    finding = check(evidence(champion=noisy(1.0)), {})

    assert finding.outcome == "passed"
    assert finding.reason.startswith("AUC +0.")


def test_the_champion_itself_passes() -> None:
    assert check(evidence(champion=FormulaModel()), {}).outcome == "passed"


def test_a_worse_challenger_fails() -> None:
    finding = check(evidence(candidate=noisy(1.5), champion=FormulaModel()), {})

    assert finding.outcome == "failed"
    assert "below the margin -0.01" in finding.reason


def test_a_small_hold_out_cannot_tell() -> None:
    case = evidence(holdout(300), candidate=noisy(0.5, seed=1), champion=noisy(0.5, seed=2))

    finding = check(case, {})

    assert finding.outcome == "not_enough_data"
    assert "contains the margin -0.01" in finding.reason


def test_too_few_rows_are_not_enough_data() -> None:
    case = evidence(holdout(100), champion=FormulaModel())

    assert check(case, {}).reason == "the hold-out has 100 rows, wanted at least 200"


def test_a_regression_is_compared_by_squared_error() -> None:
    rows = holdout()
    truth = replace(rows, label=rows.inputs["x"] * 2)
    near, far = FormulaModel(lambda x: 1.9 * x), FormulaModel(lambda x: 1.5 * x)
    better = replace(evidence(truth, near, far), task="regression")
    worse = replace(evidence(truth, far, near), task="regression")

    assert check(better, {}).outcome == "passed"
    assert check(better, {}).measurements["difference"] == pytest.approx(1 - 0.01 / 0.25)
    assert check(worse, {}).outcome == "failed"


def test_a_challenger_worse_by_the_margin_seldom_passes() -> None:
    """The error that the check controls: one in twenty at most, here of 200 hold-outs."""
    random = np.random.default_rng(6)
    label = np.repeat([0, 1], 300)
    # Two normals d apart have the AUC Phi(d / sqrt 2): 0.8 for 1.190, 0.75 for 0.954.
    rows = replace(holdout(600), label=label)

    def passes() -> bool:
        ours = logistic(random.normal(0.954 * label, 1.0))
        theirs = logistic(random.normal(1.190 * label, 1.0))
        case = evidence(rows, FixedModel(ours), FixedModel(theirs))
        return check(case, {"margin": 0.05}).outcome == "passed"

    assert sum(passes() for _ in range(200)) <= 18  # 99 % of a binomial with a mean of 10
