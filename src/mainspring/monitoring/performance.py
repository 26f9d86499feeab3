"""How well a deployed model did in a window, by the labels that have arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.validation.parameters import Metric
from mainspring.validation.statistics import ESTIMATES, Estimate

LEAST_ROWS = 100
LEAST_OF_A_CLASS = 10

METRICS: dict[str, tuple[Metric, ...]] = {
    "binary": ("auc", "log_loss", "brier"),
    "regression": ("rmse", "mae"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """One window's realised performance; without enough labels `lack` says so and no estimates."""

    predictions: int
    labelled: int
    positives: int | None
    label_mean: float | None
    score_mean: float | None
    estimates: dict[Metric, Estimate]
    lack: str | None

    @property
    def coverage(self) -> float:
        """The share of predictions whose label has arrived."""
        return self.labelled / self.predictions if self.predictions else 0.0


def realised(
    label: np.ndarray,
    score: np.ndarray,
    task: Literal["binary", "regression"],
    alpha: float = 0.05,
) -> Realised:
    """Judge the predictions of a window by their labels; a label not yet known is NaN."""
    if len(label) != len(score):
        raise Invalid(f"found {len(label)} labels for {len(score)} predictions", field="label")
    known = ~np.isnan(label.astype(np.float64))
    truth, guess = label[known].astype(np.float64), score[known].astype(np.float64)
    positives = int(np.count_nonzero(truth)) if task == "binary" else None
    lack = _lack(len(truth), positives)
    estimates = (
        {} if lack else {name: ESTIMATES[name](truth, guess, alpha) for name in METRICS[task]}
    )
    return Realised(
        predictions=len(score),
        labelled=len(truth),
        positives=positives,
        label_mean=float(truth.mean()) if len(truth) else None,
        score_mean=float(guess.mean()) if len(truth) else None,
        estimates=estimates,
        lack=lack,
    )


def _lack(labelled: int, positives: int | None) -> str | None:
    if labelled < LEAST_ROWS:
        return f"not enough data: {labelled} labels, wanted at least {LEAST_ROWS}"
    if positives is not None and min(positives, labelled - positives) < LEAST_OF_A_CLASS:
        return (
            f"not enough data: {positives} positive and {labelled - positives} negative labels, "
            f"wanted at least {LEAST_OF_A_CLASS} of each"
        )
    return None
