"""What is kept beside numbers: tables, figures where matplotlib is installed, the estimator in words."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description, scores, tables
from mainspring.adapters.frameworks.scikit_learn.scores import Judged
from mainspring.recording.autologging import Training

ROOM = "mainspring.adapters.frameworks.scikit_learn"


def _figures(training: Training) -> ModuleType | None:
    """The module that draws, if figures are wanted and matplotlib is there."""
    if not training.choices.figures or find_spec("matplotlib") is None:
        return None
    return import_module(f"{ROOM}.figures")


def keep(judged: Judged | None, training: Training, place: str = "") -> None:
    """Keep what shows where predictions were right and wrong."""
    if judged is None or judged.target.ndim != 1 or judged.predicted.ndim != 1:
        return
    if judged.task == "regression":
        _keep_table(training, f"{place}residuals", tables.residuals(judged))
        return
    _keep_table(training, f"{place}confusion_matrix", tables.confusion_matrix(judged))
    _keep_table(training, f"{place}roc", tables.roc(judged))
    _keep_table(training, f"{place}precision_recall", tables.precision_recall(judged))


def keep_importances(estimator: Any, features: Any, training: Training) -> None:
    """Keep how much each column counts, for models that say so."""
    _keep_table(training, "importances", tables.importances(estimator, features))


def keep_words(estimator: Any, training: Training) -> None:
    """Keep how the estimator shows itself."""
    training.words(f"{estimator!r}\n", "estimator.txt")
    page = import_module("sklearn.utils").estimator_html_repr(estimator)
    training.words(page, "estimator.html")


def _keep_table(training: Training, name: str, table: dict[str, Any] | None) -> None:
    if table is None:
        return
    training.table(table, f"{name}.json")
    drawing = _figures(training)
    if drawing is not None:
        draw = getattr(drawing, name.rpartition("/")[2])
        training.soon(lambda: training.figure(draw(table), f"{name}.png"))


def judged_by(estimator: Any, target: Any, values: Any) -> Judged | None:
    """Predictions that the user evaluates, if it can be told what they are."""
    kind, known = scores.task(estimator), description.classes(estimator)
    truth, values = np.asarray(target), np.asarray(values)
    if truth.ndim != 1 or len(truth) != len(values) or not len(truth) or not kind:
        return None
    if kind == "regression" or (values.ndim == 1 and values.dtype.kind != "f"):
        return Judged(kind, truth, values, known)
    if values.ndim == 2 and known is not None and values.shape[1] == len(known):
        places = values.argmax(axis=1)
        predicted = np.asarray(known)[places]
        return Judged(kind, truth, predicted, known, probabilities=values)
    return None
