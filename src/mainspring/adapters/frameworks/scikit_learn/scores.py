"""How well a model does on data: the measures of its task, at a bounded cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.adapters.frameworks.scikit_learn.sampling import length, spread, taken
from mainspring.tracking.model_contract import Task

MAX_ROWS = 100_000
TRIAL_ROWS = 200
"""Rows whose prediction is timed before more are predicted."""
PATIENCE_S = 1.0
MAX_CLASSES = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions, and what should have been predicted."""

    task: Task
    target: Any
    predicted: Any
    classes: list[Any] | None = None
    probabilities: Any = None
    """One column for each class."""
    decision: Any = None
    """Of a binary classifier without probabilities: how far each row is on the second class's side."""


@dataclass(frozen=True, slots=True)
class Found:
    """The measures, and of how many rows they are."""

    metrics: dict[str, float]
    rows: int
    all_rows: int
    judged: Judged | None


def task(estimator: Any) -> Task:
    """What the model does, in the registry's words."""
    base = import_module("sklearn.base")
    if base.is_regressor(estimator):
        return "regression"
    if not base.is_classifier(estimator):
        return ""
    found = description.classes(estimator)
    if found is None:
        return ""
    return "binary" if len(found) == 2 else "multiclass"


def of(estimator: Any, features: Any, target: Any, fit_seconds: float) -> Found | None:
    """Judge the model on the data that it was fitted to; on some of the rows if there are many."""
    rows = length(features)
    if not rows:
        return None
    places = spread(rows, _affordable(estimator, features, rows, fit_seconds))
    inputs = features if len(places) == rows else taken(features, places)
    answers = target if target is None or len(places) == rows else taken(target, places)
    kind = task(estimator)
    metrics: dict[str, float] = {}
    judged = None
    if answers is not None and kind and hasattr(estimator, "predict"):
        judged = _judge(estimator, inputs, np.asarray(answers), kind)
        metrics |= measures(judged)
    score = _own_score(estimator, inputs, answers, metrics)
    if score is not None:
        metrics["score"] = score
    return Found(metrics, len(places), rows, judged) if metrics else None


def _affordable(estimator: Any, features: Any, rows: int, fit_seconds: float) -> int:
    """How many rows can be predicted in about a second, or half the time that the fit took."""
    most = min(rows, MAX_ROWS)
    if most <= TRIAL_ROWS or not hasattr(estimator, "predict"):
        return most
    trial = taken(features, spread(rows, TRIAL_ROWS))
    start = time.perf_counter()
    estimator.predict(trial)
    a_row = (time.perf_counter() - start) / TRIAL_ROWS
    return max(TRIAL_ROWS, min(most, int(max(PATIENCE_S, fit_seconds / 2) / max(a_row, 1e-9))))


def _judge(estimator: Any, features: Any, target: Any, kind: Task) -> Judged:
    predicted = np.asarray(estimator.predict(features))
    if kind == "regression":
        return Judged(kind, target, predicted)
    classes = description.classes(estimator)
    probabilities = decision = None
    if hasattr(estimator, "predict_proba"):
        probabilities = np.asarray(estimator.predict_proba(features))
    elif kind == "binary" and hasattr(estimator, "decision_function"):
        decision = np.asarray(estimator.decision_function(features))
    return Judged(kind, target, predicted, classes, probabilities, decision)


def measures(judged: Judged) -> dict[str, float]:
    """The measures of the task."""
    found = _regression(judged) if judged.task == "regression" else _classification(judged)
    return {key: float(value) for key, value in found.items()}


def _regression(judged: Judged) -> dict[str, float]:
    metrics = import_module("sklearn.metrics")
    squared = metrics.mean_squared_error(judged.target, judged.predicted)
    found = {
        "mse": squared,
        "rmse": squared**0.5,
        "mae": metrics.mean_absolute_error(judged.target, judged.predicted),
    }
    if len(judged.target) > 1:
        found["r2"] = metrics.r2_score(judged.target, judged.predicted)
    return found


def _classification(judged: Judged) -> dict[str, float]:
    metrics = import_module("sklearn.metrics")
    found = {"accuracy": metrics.accuracy_score(judged.target, judged.predicted)}
    for average in ("weighted", "macro"):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            judged.target, judged.predicted, average=average, zero_division=0
        )
        found |= {
            f"precision_{average}": precision,
            f"recall_{average}": recall,
            f"f1_{average}": f1,
        }
    if judged.probabilities is not None:
        found["log_loss"] = metrics.log_loss(
            judged.target, judged.probabilities, labels=judged.classes
        )
    area = _area(judged, metrics)
    return found if area is None else found | {"roc_auc": area}


def _area(judged: Judged, metrics: Any) -> float | None:
    """The area under the ROC curve; of several classes the mean of each against the rest."""
    seen = len(np.unique(judged.target))
    if seen < 2 or judged.classes is None:
        return None
    if judged.task == "binary":
        values = judged.decision if judged.probabilities is None else judged.probabilities[:, 1]
        if values is None:
            return None
        return float(metrics.roc_auc_score(judged.target == judged.classes[1], values))
    if judged.probabilities is None or seen != len(judged.classes) or seen > MAX_CLASSES:
        return None
    return float(
        metrics.roc_auc_score(
            judged.target, judged.probabilities, multi_class="ovr", labels=judged.classes
        )
    )


def _own_score(estimator: Any, features: Any, target: Any, known: dict[str, float]) -> float | None:
    """What its `score` says; the usual ones are known by other names."""
    method = getattr(type(estimator), "score", None)
    where = getattr(method, "__qualname__", "")
    for mixin, same in (("ClassifierMixin.score", "accuracy"), ("RegressorMixin.score", "r2")):
        if where == mixin and same in known:
            return known[same]
    if not hasattr(estimator, "score"):
        return None
    found = estimator.score(features) if target is None else estimator.score(features, target)
    return float(found) if np.ndim(found) == 0 else None
