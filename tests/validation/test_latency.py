"""Latency is measured on real calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mainspring.core.signature import Signature
from mainspring.validation.latency import check

from .evidence import SIGNATURE, FormulaModel, evidence, holdout


@dataclass(frozen=True)
class CountingModel:
    """Remembers how many rows each call had."""

    rows: list[int] = field(default_factory=list)
    signature: Signature = SIGNATURE

    def predict(self, inputs: dict[str, np.ndarray], /) -> dict[str, np.ndarray]:
        self.rows.append(len(inputs["x"]))
        return {"score": inputs["x"]}


def test_a_quick_model_passes() -> None:
    finding = check(evidence(), {"p99_ms": 10_000})

    assert finding.outcome == "passed"
    p50, p99 = finding.measurements["p50_ms"], finding.measurements["p99_ms"]
    assert isinstance(p50, float)
    assert isinstance(p99, float)
    assert 0 < p50 <= p99


def test_a_slow_model_fails() -> None:
    slow = FormulaModel(lambda x: np.sort(np.resize(x, 20_000))[: len(x)])

    finding = check(evidence(candidate=slow), {"p99_ms": 0.01, "calls": 100})

    assert finding.outcome == "failed"
    assert "over 100 calls of 1 rows misses the limit of 0.01 ms" in finding.reason


def test_each_call_has_the_wanted_rows() -> None:
    model = CountingModel()

    check(
        evidence(candidate=model),
        {"p99_ms": 1000, "rows": 7, "calls": 100, "warm_up": 5},
    )

    assert model.rows == [7] * 105


def test_no_rows_are_not_enough_data() -> None:
    assert check(evidence(holdout(0)), {"p99_ms": 5}).outcome == "not_enough_data"
