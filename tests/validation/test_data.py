"""The hold-out is held against the signature and the profile of the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.validation.check import Evidence
from mainspring.validation.data import check
from mainspring.validation.profile import build_profile

from .evidence import evidence, holdout

PROFILE: dict[str, Any] = msgspec.to_builtins(build_profile(holdout(5000, seed=1).inputs))


def case(**columns: np.ndarray | None) -> Evidence:
    """The usual hold-out with some columns replaced, or taken away by None."""
    rows = holdout()
    inputs: Mapping[str, np.ndarray | None] = rows.inputs | columns
    kept = {name: values for name, values in inputs.items() if values is not None}
    return replace(evidence(replace(rows, inputs=kept)), training_profile=PROFILE)


def test_rows_like_those_of_training_pass() -> None:
    finding = check(case(), {})

    assert finding.outcome == "passed"
    assert finding.reason == "2 columns of 2,000 rows fit schema and ranges"
    assert finding.measurements["faults"] == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"x": None}, "the column 'x' is missing"),
        ({"x": np.zeros(5)}, "'x' has 5 values for 2000 rows"),
        ({"kind": np.zeros(2000)}, "'kind' is float64, the model takes BYTES"),
        ({"x": np.full(2000, "1", object)}, "'x' is object, the model takes FP64"),
        ({"kind": np.full(2000, 7, object)}, "'kind' holds values that are not text"),
        ({"kind": np.full(2000, None)}, "'kind' lacks 2000 values and may lack none"),
        (
            {"kind": np.full(2000, "z", object)},
            "'kind' has 100.0% categories the model never saw, allowed 1.0%",
        ),
        (
            {"x": np.full(2000, np.nan)},
            "'x' has 100.0% more missing values than in training, allowed 20.0%",
        ),
        (
            {"x": np.full(2000, 99.0)},
            "'x' has 100.0% values out of the training range, allowed 1.0%",
        ),
    ],
)
def test_a_fault_is_named(columns: dict[str, np.ndarray | None], reason: str) -> None:
    finding = check(case(**columns), {})

    assert (finding.outcome, finding.reason) == ("failed", reason)


def test_a_few_strange_values_are_allowed() -> None:
    x = holdout().inputs["x"].copy()
    x[:50], x[50:60] = np.nan, 99.0

    finding = check(case(x=x), {})

    assert finding.outcome == "passed"
    assert finding.measurements["largest_out_of_range"] == 0.005
    assert finding.measurements["largest_missing_rise"] == 0.025


def test_all_faults_are_told_at_once() -> None:
    finding = check(case(x=None, kind=np.zeros(2000)), {})

    assert finding.measurements["faults"] == 2
    assert finding.reason.count(";") == 1


def test_without_a_profile_ranges_cannot_be_judged() -> None:
    finding = check(evidence(), {})

    assert finding.outcome == "not_enough_data"
    assert "without a training profile" in finding.reason


def test_no_rows_are_not_enough_data() -> None:
    assert check(evidence(holdout(0)), {}).outcome == "not_enough_data"


def test_a_broken_profile_is_refused() -> None:
    with pytest.raises(Invalid, match="not a training profile"):
        check(replace(evidence(), training_profile={"columns": 5}), {})
