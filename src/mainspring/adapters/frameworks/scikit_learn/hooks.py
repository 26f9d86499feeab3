"""Wrappers around the methods and functions that users call.

A wrapper holds the function it wraps and nothing else, so that estimators, classes and scorers are
pickled as before: by name, or by cloudpickle with their code. In a process where nobody follows it is
one call more.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from mainspring.adapters.frameworks.scikit_learn import evaluation, fitting, selection

Call = Callable[..., Any]
Follow = Callable[[Call, Any, tuple[Any, ...], dict[str, Any]], Any]
MARK = "__mainspring__"

TRUE, PREDICTED = ("y_true", "labels_true"), (
    "y_pred", "y_score", "y_prob", "y_proba", "pred_decision", "labels_pred",
)  # fmt: skip


def _fit(original: Call) -> Call:
    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fitting.fitted(original, self, args, kwargs)

    return fit


def _fit_predict(original: Call) -> Call:
    @functools.wraps(original)
    def fit_predict(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fitting.fit_predicted(original, self, args, kwargs)

    return fit_predict


def _partial_fit(original: Call) -> Call:
    @functools.wraps(original)
    def partial_fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fitting.partly_fitted(original, self, args, kwargs)

    return partial_fit


def _predict(original: Call) -> Call:
    @functools.wraps(original)
    def predict(self: Any, *args: Any, **kwargs: Any) -> Any:
        return evaluation.predicted(original, self, args, kwargs)

    return predict


def _score(original: Call) -> Call:
    @functools.wraps(original)
    def score(self: Any, *args: Any, **kwargs: Any) -> Any:
        return evaluation.scored(original, self, args, kwargs)

    return score


METHODS: dict[str, Callable[[Call], Call]] = {
    "fit": _fit,
    "fit_transform": _fit,
    "fit_resample": _fit,
    "fit_predict": _fit_predict,
    "partial_fit": _partial_fit,
    "predict": _predict,
    "predict_proba": _predict,
    "predict_log_proba": _predict,
    "decision_function": _predict,
    "score": _score,
}


def install(module: ModuleType) -> None:
    """Wrap what users call of the module."""
    if module.__name__ == "sklearn.base":
        _install_estimators(module)
    elif module.__name__ == "sklearn.metrics":
        _install_metrics(module)
    else:
        _install_selection(module)


def _install_estimators(module: ModuleType) -> None:
    base = module.BaseEstimator
    for kind in [value for value in vars(module).values() if isinstance(value, type)]:
        if kind.__module__ == module.__name__:
            wrap_class(kind)
    for kind in _derived(base):
        wrap_class(kind)
    own = base.__dict__.get("__init_subclass__")
    if own is not None and hasattr(own.__func__, MARK):
        return

    def begin_subclass(cls: type, **kwargs: Any) -> None:
        if own is not None:
            own.__get__(None, cls)(**kwargs)
        else:
            super(base, cls).__init_subclass__(**kwargs)
        wrap_class(cls)

    setattr(begin_subclass, MARK, True)
    base.__init_subclass__ = classmethod(begin_subclass)  # type: ignore[arg-type]


def _derived(kind: Any) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _derived(one)


def wrap_class(kind: type) -> None:
    """Wrap the methods that the class defines, or takes from mixins of its own package."""
    roots = {"sklearn", kind.__module__.partition(".")[0]}
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in roots:
            _wrap_methods(base)


def _wrap_methods(kind: type) -> None:
    for name, wrap in METHODS.items():
        method: Any = kind.__dict__.get(name)
        function = getattr(method, "fn", method)
        if not isinstance(function, FunctionType) or hasattr(function, MARK):
            continue
        wrapped = _marked(wrap(function))
        if function is method:
            setattr(kind, name, wrapped)
        else:
            method.fn = wrapped  # `available_if`: a method that only some instances have


def _marked(call: Call) -> Call:
    setattr(call, MARK, True)
    return call


def _install_metrics(module: ModuleType) -> None:
    wrapped = {}
    for name in module.__all__:
        function = getattr(module, name)
        if isinstance(function, FunctionType) and _compares(function):
            wrapped[function] = _metric(function)
    _replace(wrapped)
    scorers = getattr(sys.modules.get("sklearn.metrics._scorer"), "_SCORERS", {})
    for scorer in scorers.values():
        # Pickled by name: the name has to lead to what the scorer holds.
        scorer._score_func = wrapped.get(scorer._score_func, scorer._score_func)  # noqa: SLF001


def _compares(function: FunctionType) -> bool:
    names = list(inspect.signature(function).parameters)
    return len(names) > 1 and names[0] in TRUE and names[1] in PREDICTED


def _metric(original: Call) -> Call:
    @functools.wraps(original)
    def metric(*args: Any, **kwargs: Any) -> Any:
        return evaluation.measured(original, args, kwargs)

    return _marked(metric)


def _install_selection(module: ModuleType) -> None:
    wrapped = {}
    for name, follow in selection.FOLLOWED.items():
        function = getattr(module, name, None)
        if isinstance(function, FunctionType) and not hasattr(function, MARK):
            wrapped[function] = _selecting(function, follow.__name__)
    _replace(wrapped)


def _selecting(original: Call, follow: str) -> Call:
    @functools.wraps(original)
    def select(*args: Any, **kwargs: Any) -> Any:
        return getattr(selection, follow)(original, args, kwargs)

    return _marked(select)


def _replace(wrapped: dict[FunctionType, Call]) -> None:
    """Put the wrappers wherever the functions were imported to, so that there is one of each."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict):
            continue
        for name, value in list(names.items()):
            if isinstance(value, FunctionType) and value in wrapped:
                names[name] = wrapped[value]
