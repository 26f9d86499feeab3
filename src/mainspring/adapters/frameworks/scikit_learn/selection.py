"""Cross-validation and curves over many fits: one training, its folds runs of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description, evaluation, following
from mainspring.adapters.frameworks.scikit_learn.search import MAX_CHILDREN
from mainspring.recording.autologging import Autolog, Training, guarded

Call = Callable[..., Any]
Args = tuple[Any, ...]
CURVES = {
    "learning_curve": ("train_sizes", "train_scores", "test_scores", "fit_times", "score_times"),
    "validation_curve": ("train_scores", "test_scores"),
    "permutation_test_score": ("score", "permutation_scores", "pvalue"),
}


def _listener(call: Mapping[str, Any]) -> Autolog | None:
    autolog = following.listener()
    return autolog if autolog is not None and hasattr(call["estimator"], "fit") else None


def _call(args: Args, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "estimator": following.argument(args, kwargs, 0, "estimator"),
        "X": following.argument(args, kwargs, 1, "X"),
        "y": following.argument(args, kwargs, 2, "y"),
        "said": {key: value for key, value in kwargs.items() if key in ("cv", "scoring", "method")},
    }


def cross_validated(original: Call, args: Args, kwargs: dict[str, Any]) -> Any:
    """`cross_validate`, and `cross_val_score`, which calls it."""
    call = _call(args, kwargs)
    autolog = _listener(call)
    if autolog is None:
        return original(*args, **kwargs)
    with _training(autolog, call, "cross-validation", "cv") as cv:
        _describe(cv, call)
        result = original(*args, **kwargs)
        _tell_folds(cv, result)
    return result


def cross_predicted(original: Call, args: Args, kwargs: dict[str, Any]) -> Any:
    """`cross_val_predict`: what is computed of its predictions is told of the cross-validation."""
    call = _call(args, kwargs)
    autolog = _listener(call)
    if autolog is None:
        return original(*args, **kwargs)
    with _training(autolog, call, "cross-validation", "cv") as cv:
        _describe(cv, call)
        result = original(*args, **kwargs)
    autolog.predicted(result, cv, call["X"])
    return result


def curve(original: Call, args: Args, kwargs: dict[str, Any]) -> Any:
    """Functions that fit over and over, and answer with arrays."""
    call, name = _call(args, kwargs), original.__name__
    autolog = _listener(call)
    if autolog is None:
        return original(*args, **kwargs)
    with _training(autolog, call, name, name) as training:
        _describe(training, call)
        result = original(*args, **kwargs)
        _tell_curve(training, name, result)
    return result


def _training(
    autolog: Autolog, call: Mapping[str, Any], what: str, under: str
) -> AbstractContextManager[Training]:
    title = f"{description.title(call['estimator'])} {what}"
    return autolog.training(title, under, _config(call["estimator"]))


@guarded
def _config(estimator: Any) -> dict[str, Any]:
    return description.config(estimator)


FOLLOWED: dict[str, Callable[[Call, Args, dict[str, Any]], Any]] = {
    "cross_validate": cross_validated,
    "cross_val_predict": cross_predicted,
    **dict.fromkeys(CURVES, curve),
}
"""The functions of `sklearn.model_selection` that fit, and who follows each."""


def _describe(training: Training, call: Mapping[str, Any]) -> None:
    _say(training, call)
    _link(training, call)


@guarded
def _say(training: Training, call: Mapping[str, Any]) -> None:
    estimator = call["estimator"]
    training.tags({"estimator": description.class_path(estimator)})
    said = {key: description.said(value) for key, value in call["said"].items()}
    training.params(description.config(estimator) | said)


@guarded
def _link(training: Training, call: Mapping[str, Any]) -> None:
    used = training.dataset(call["X"], call["y"], name="training")
    if used is not None:
        evaluation.trained_on(training, used.digest)


@guarded
def _tell_folds(training: Training, result: Mapping[str, Any]) -> None:
    columns = {
        key: np.asarray(values, dtype=np.float64)
        for key, values in result.items()
        if key.endswith("_time") or key.startswith(("test_", "train_"))
    }
    found = {}
    for key, values in columns.items():
        found[f"mean_{key}"] = float(values.mean())
        found[f"std_{key}"] = float(values.std())
    training.metrics(found)
    folds = max((len(values) for values in columns.values()), default=0)
    training.params({"folds": folds})
    training.table({key: values.tolist() for key, values in columns.items()}, "folds.json")
    for fold in range(min(folds, MAX_CHILDREN)):
        numbers = {key: float(values[fold]) for key, values in columns.items()}
        training.child(f"fold {fold}", params={"fold": fold}, metrics=numbers)


@guarded
def _tell_curve(training: Training, name: str, result: Any) -> None:
    named = dict(zip(CURVES[name], result, strict=False))
    tables = {key: np.asarray(values).tolist() for key, values in named.items()}
    training.table(tables, f"{name}.json")
    for key, values in named.items():
        array = np.asarray(values, dtype=np.float64)
        if array.ndim == 0:
            training.metrics({key: float(array)})
        elif array.ndim == 2:
            for step, row in enumerate(array):
                training.metrics({f"mean_{key}": float(row.mean())}, step=step)
