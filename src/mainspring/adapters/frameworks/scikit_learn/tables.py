"""The data of the usual charts, as dictionaries that JSON can say; nothing is drawn here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.adapters.frameworks.scikit_learn.sampling import spread
from mainspring.adapters.frameworks.scikit_learn.scores import MAX_CLASSES, Judged

CURVE_POINTS = 200
RESIDUALS = 1_000
MAX_IMPORTANCES = 10_000
MAX_CURVES = 20


def confusion_matrix(judged: Judged) -> dict[str, Any] | None:
    """How often each class was taken for each: rows are what was true."""
    labels = judged.classes or sorted({*judged.target.tolist(), *judged.predicted.tolist()})
    if len(labels) > MAX_CLASSES:
        return None
    metrics = import_module("sklearn.metrics")
    counts = metrics.confusion_matrix(judged.target, judged.predicted, labels=labels)
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros(counts.shape), where=sums > 0)
    return {
        "labels": labels,
        "counts": counts.tolist(),
        "normalised": shares.round(6).tolist(),
    }


def roc(judged: Judged) -> dict[str, Any] | None:
    """ROC curves: of two classes the second's, of more each against the rest."""
    metrics = import_module("sklearn.metrics")
    curves = []
    for label, truth, values in _against_the_rest(judged):
        false, true, thresholds = metrics.roc_curve(truth, values)
        places = spread(len(false), CURVE_POINTS)
        curves.append(
            {
                "class": label,
                "auc": float(metrics.auc(false, true)),
                "false_positive_rate": false[places].tolist(),
                "true_positive_rate": true[places].tolist(),
                "thresholds": thresholds[places].tolist(),
            }
        )
    return {"curves": curves} if curves else None


def precision_recall(judged: Judged) -> dict[str, Any] | None:
    """Precision over recall, class by class."""
    metrics = import_module("sklearn.metrics")
    curves = []
    for label, truth, values in _against_the_rest(judged):
        precision, recall, thresholds = metrics.precision_recall_curve(truth, values)
        places = spread(len(thresholds), CURVE_POINTS)
        curves.append(
            {
                "class": label,
                "average_precision": float(metrics.average_precision_score(truth, values)),
                "precision": precision[places].tolist(),
                "recall": recall[places].tolist(),
                "thresholds": thresholds[places].tolist(),
            }
        )
    return {"curves": curves} if curves else None


def _against_the_rest(judged: Judged) -> list[tuple[Any, Any, Any]]:
    """For each class: its name, which rows are of it, and how much each row looks like it."""
    classes = judged.classes or []
    if judged.task == "binary" and len(classes) == 2:
        values = judged.decision if judged.probabilities is None else judged.probabilities[:, 1]
        pairs = [] if values is None else [(classes[1], values)]
    elif judged.probabilities is not None and len(classes) <= MAX_CURVES:
        pairs = list(zip(classes, judged.probabilities.T, strict=True))
    else:
        pairs = []
    found = [(label, judged.target == label, values) for label, values in pairs]
    return [
        (label, truth, values) for label, truth, values in found if 0 < truth.sum() < len(truth)
    ]


def residuals(judged: Judged) -> dict[str, Any]:
    """What was predicted, and how far that was off: at most a thousand rows, evenly spread."""
    places = spread(len(judged.target), RESIDUALS)
    predicted = judged.predicted[places].astype(np.float64)
    target = judged.target[places].astype(np.float64)
    return {
        "rows": len(judged.target),
        "predicted": predicted.tolist(),
        "residual": (target - predicted).tolist(),
    }


def importances(estimator: Any, features: Any) -> dict[str, Any] | None:
    """How much each column counts: `feature_importances_`, or the size of the coefficients."""
    worker = description.final(estimator)
    kind, values = "feature_importances_", getattr(worker, "feature_importances_", None)
    if values is None:
        kind, values = "coef_", getattr(worker, "coef_", None)
    if values is None or callable(values):
        return None
    array = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
    array = array.astype(np.float64).reshape(-1, array.shape[-1]) if array.ndim else array
    if array.ndim != 2:
        return None
    names = _names(estimator, features, array.shape[1])
    sizes = np.abs(array).mean(axis=0) if kind == "coef_" else array[0]
    order = np.argsort(-sizes, kind="stable")[:MAX_IMPORTANCES]
    table: dict[str, Any] = {
        "kind": kind,
        "columns": [names[place] for place in order],
        "importances": sizes[order].tolist(),
    }
    if kind == "coef_" and len(array) <= MAX_CURVES:
        table["coefficients"] = array[:, order].tolist()
    return table


def _names(estimator: Any, features: Any, count: int) -> list[str]:
    """The columns' names where the model meets them, behind the steps before it."""
    for names in _candidates(estimator, features):
        if names is not None and len(names) == count:
            return [str(name) for name in names]
    return [str(place) for place in range(count)]


def _candidates(estimator: Any, features: Any) -> list[Any]:
    found: list[Any] = []
    inner = getattr(estimator, "best_estimator_", estimator)
    if isinstance(getattr(inner, "steps", None), list):
        try:
            found.append(inner[:-1].get_feature_names_out())
        except Exception:  # noqa: BLE001  steps that have no names for what they make
            return []
        return found
    found.append(getattr(inner, "feature_names_in_", None))
    columns = getattr(features, "columns", None)
    found.append(None if columns is None else list(columns))
    return found
