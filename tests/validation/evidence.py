"""Evidence for the checks: small real models that compute, on rows that one can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mainspring.core.signature import Column, Signature
from mainspring.validation.check import Evidence, LabelledRows, Model

SIGNATURE = Signature(
    inputs=(
        Column(name="x", datatype="FP64", nullable=True),
        Column(name="kind", datatype="BYTES", categories=("a", "b")),
    ),
    outputs=(Column(name="score", datatype="FP64"),),
)

Formula = Callable[[np.ndarray], np.ndarray]


def logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


@dataclass(frozen=True)
class FormulaModel:
    """Scores by a formula of the column x."""

    formula: Formula = logistic
    signature: Signature = SIGNATURE

    def predict(self, inputs: dict[str, np.ndarray], /) -> dict[str, np.ndarray]:
        return {"score": self.formula(np.nan_to_num(inputs["x"]))}


@dataclass(frozen=True)
class FixedModel:
    """Gives the scores it was made with."""

    scores: np.ndarray
    signature: Signature = SIGNATURE

    def predict(self, _inputs: dict[str, np.ndarray], /) -> dict[str, np.ndarray]:
        return {"score": self.scores}


def holdout(n: int = 2000, seed: int = 0) -> LabelledRows:
    """Rows whose label has the chance logistic(x)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    kind = np.array(["a", "b"], dtype=object)[random.integers(0, 2, n)]
    label = (random.random(n) < logistic(x)).astype(np.int64)
    return LabelledRows({"x": x, "kind": kind}, label)


def evidence(
    rows: LabelledRows | None = None,
    candidate: Model | None = None,
    champion: Model | None = None,
) -> Evidence:
    return Evidence(
        candidate=candidate or FormulaModel(),
        champion=champion,
        holdout=holdout() if rows is None else rows,
        training_profile=None,
        task="binary",
    )
