"""An estimator in words: its title, its parameters, and whether fitting it is a training."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

MAX_PARAMS = 500
MAX_TEXT = 500
PREDICTING = ("predict", "fit_predict")


def title(estimator: Any) -> str:
    """What its users call it: the class's name."""
    return type(estimator).__name__


def class_path(estimator: Any) -> str:
    """The class with its module."""
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}"


def is_model(estimator: Any) -> bool:
    """Whether it predicts, clusters or estimates a density; what only transforms prepares data."""
    if any(hasattr(estimator, name) for name in PREDICTING):
        return True
    base = import_module("sklearn.base")
    if base.is_classifier(estimator) or base.is_regressor(estimator):
        return True  # some get their `predict` when they are fitted
    return hasattr(estimator, "score_samples") and not hasattr(estimator, "transform")


def params(estimator: Any) -> dict[str, Any]:
    """Its parameters and those of the estimators in it, each as a short text or a plain value."""
    found = estimator.get_params(deep=True)
    keys = sorted(found, key=lambda key: (key.count("__"), key))
    return {key: said(found[key]) for key in keys[:MAX_PARAMS]}


def config(estimator: Any) -> dict[str, Any]:
    """What tells its training from others: the class and the parameters."""
    return {"class": title(estimator)} | params(estimator)


def said(value: Any) -> Any:
    """A parameter as one wants to read it: the same in each process."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if _is_estimator(value):
        return title(value)
    if isinstance(value, Mapping):
        return _cut(", ".join(f"{key}={said(item)}" for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return _cut(_listed(value))
    return _cut(_named(value))


def final(estimator: Any) -> Any:
    """The estimator that does the work in the end: of a pipeline its last, of a search its best."""
    for _ in range(10):
        steps = getattr(estimator, "steps", None)
        inner = (
            getattr(estimator, "best_estimator_", None)
            or getattr(estimator, "regressor_", None)
            or (steps[-1][1] if isinstance(steps, list) and steps else None)
        )
        if inner is None or not _is_estimator(inner):
            return estimator
        estimator = inner
    return estimator


def classes(estimator: Any) -> list[Any] | None:
    """The classes that it tells apart, if it is a classifier of one target."""
    found = getattr(estimator, "classes_", None)
    if found is None or getattr(found, "ndim", 2) != 1:
        return None
    return list(found.tolist())


def _is_estimator(value: Any) -> bool:
    return callable(getattr(value, "get_params", None)) and not isinstance(value, type)


def _named(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):  # functions, classes
        return name
    if hasattr(value, "tolist"):  # arrays, and numbers of numpy
        return str(value.tolist())
    text = repr(value)
    # An address in memory says nothing, and differs in each process.
    return type(value).__name__ if " at 0x" in text else text


def _listed(values: Any) -> str:
    parts = []
    for value in values:
        if isinstance(value, tuple) and len(value) > 1 and isinstance(value[0], str):
            parts.append(f"{value[0]}={said(value[1])}")  # a named step
        else:
            parts.append(str(said(value)))
    return f"[{', '.join(parts)}]"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
