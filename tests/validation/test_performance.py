"""The performance check passes on evidence, never on luck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.validation.performance import check

from .evidence import FormulaModel, evidence, holdout


def test_a_good_model_passes_with_its_numbers() -> None:
    finding = check(evidence(), {"metric": "auc", "minimum": 0.7})

    assert finding.outcome == "passed"
    assert finding.reason.endswith("on 2,000 rows, meets the minimum 0.7")
    low, value = finding.measurements["low"], finding.measurements["value"]
    assert isinstance(low, float)
    assert isinstance(value, float)
    assert 0.7 <= low < value


def test_a_poor_model_fails() -> None:
    finding = check(evidence(), {"metric": "auc", "minimum": 0.9})

    assert finding.outcome == "failed"
    assert "misses the minimum 0.9" in finding.reason


def test_an_interval_around_the_limit_is_not_enough_data() -> None:
    value = check(evidence(), {"metric": "auc", "minimum": 0.5}).measurements["value"]
    assert isinstance(value, float)

    finding = check(evidence(), {"metric": "auc", "minimum": value - 0.005})

    assert finding.outcome == "not_enough_data"
    assert "rows would decide" in finding.reason
    needed = finding.measurements["rows_to_decide"]
    assert isinstance(needed, int)
    assert needed > 2000


@pytest.mark.parametrize(
    ("metric", "maximum", "outcome"),
    [("log_loss", 0.65, "passed"), ("log_loss", 0.5, "failed"), ("brier", 0.25, "passed")],
)
def test_a_loss_has_a_maximum(metric: str, maximum: float, outcome: str) -> None:
    assert check(evidence(), {"metric": metric, "maximum": maximum}).outcome == outcome


def test_too_few_rows_are_not_enough_data() -> None:
    finding = check(evidence(holdout(50)), {"metric": "auc", "minimum": 0.1})

    assert (finding.outcome, finding.measurements) == ("not_enough_data", {"rows": 50})
    assert finding.reason == "the hold-out has 50 rows, wanted at least 200"


@pytest.mark.parametrize(("label", "word"), [(0, "positive"), (1, "negative")])
def test_one_class_alone_is_not_enough_data(label: int, word: str) -> None:
    rows = replace(holdout(500), label=np.full(500, label))

    finding = check(evidence(rows), {"metric": "auc", "minimum": 0.1})

    assert finding.outcome == "not_enough_data"
    assert finding.reason == f"the hold-out has 0 {word} rows, wanted at least 20"


def test_a_label_that_is_neither_0_nor_1_is_refused() -> None:
    rows = replace(holdout(500), label=np.full(500, 2))

    with pytest.raises(Invalid, match="a binary label is 0 or 1") as caught:
        check(evidence(rows), {"metric": "auc", "minimum": 0.1})

    assert caught.value.field == "label"


def test_a_score_that_is_no_probability_is_refused() -> None:
    with pytest.raises(Invalid, match="is a probability"):
        check(evidence(candidate=FormulaModel(lambda x: 9 * x)), {"metric": "auc", "minimum": 0.1})


def test_a_regression_metric_does_not_judge_a_binary_model() -> None:
    with pytest.raises(Invalid, match="does not fit the task 'binary'"):
        check(evidence(), {"metric": "rmse", "maximum": 1})


def test_a_regression_is_judged_by_its_error() -> None:
    rows = holdout()
    case = replace(
        evidence(replace(rows, label=rows.inputs["x"] * 2), FormulaModel(lambda x: x)),
        task="regression",
    )

    assert check(case, {"metric": "rmse", "maximum": 1.1}).outcome == "passed"
    assert check(case, {"metric": "mae", "maximum": 0.5}).outcome == "failed"


def test_a_model_at_the_limit_seldom_passes() -> None:
    """The error that the check controls: one in twenty at most, here of 300 hold-outs."""
    random = np.random.default_rng(5)

    def passes() -> bool:
        rows = replace(holdout(400), label=(random.random(400) < 0.3).astype(np.int64))
        return check(evidence(rows), {"metric": "auc", "minimum": 0.5}).outcome == "passed"

    assert sum(passes() for _ in range(300)) <= 24  # 99 % of a binomial with a mean of 15
