"""What an estimator says of its own fitting: iterations, losses on the way, the best it found."""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.recording.autologging import Training

CURVES = (
    "loss_curve_", "validation_scores_", "train_score_", "validation_score_", "oob_scores_",
)  # fmt: skip
NUMBERS = (
    "n_iter_", "inertia_", "oob_score_", "lower_bound_", "best_score_", "best_loss_",
    "best_validation_score_", "n_clusters_",
)  # fmt: skip
MAX_POINTS = 10_000


def tell(estimator: Any, training: Training, seconds: float | None) -> None:
    """Log the numbers that it holds when it is fitted, and its curves, one value an iteration."""
    found: dict[str, float] = {} if seconds is None else {"training/seconds": seconds}
    worker = description.final(estimator)
    for name in NUMBERS:
        value = _number(_held(estimator, name), _held(worker, name))
        if value is not None:
            found[name.rstrip("_")] = value
    if found:
        training.metrics(found)
    curves = {name.rstrip("_"): _curve(_held(worker, name)) for name in CURVES}
    longest = max((len(curve) for curve in curves.values()), default=0)
    for step in range(0, longest, training.choices.every):
        training.metrics(
            {name: curve[step] for name, curve in curves.items() if step < len(curve)}, step=step
        )


def _held(estimator: Any, name: str) -> Any:
    try:
        return getattr(estimator, name, None)
    except Exception:  # noqa: BLE001  properties of somebody's class
        return None


def _number(*values: Any) -> float | None:
    for value in values:
        array = np.asarray(value) if value is not None else None
        if array is not None and array.size == 1 and array.dtype.kind in "biuf":
            return float(array.reshape(-1)[0])
    return None


def _curve(values: Any) -> list[float]:
    if values is None:
        return []
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        return []
    return [float(value) for value in array[:MAX_POINTS]]
