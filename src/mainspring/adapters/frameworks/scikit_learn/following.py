"""What the wrappers call: nothing of them is pickled with an estimator but the name of this module."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.engines.object_parts import chance_kept
from mainspring.recording.autologging import Autolog, guarded
from mainspring.recording.framework import Framework, has_its_own

Call = Callable[..., Any]


class _State:
    """Who follows in this process; a worker that unpickles an estimator finds nobody."""

    autolog: Autolog | None = None
    framework: Framework | None = None


_foreign: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def follow(autolog: Autolog, framework: Framework) -> None:
    """Tell this one from now on."""
    _State.autolog, _State.framework = autolog, framework
    _foreign.clear()


def listener() -> Autolog | None:
    """Whom to tell of a call of the user's own: nobody inside a training."""
    autolog = _State.autolog
    if autolog is None or autolog.current is not None or not autolog.follows:
        return None
    return autolog


def is_foreign(estimator: Any) -> bool:
    """Whether another framework follows the trainings of this class."""
    kind, framework = type(estimator), _State.framework
    found = _foreign.get(kind)
    if found is None:
        found = framework is not None and has_its_own(kind, framework)
        _foreign[kind] = found
    return found


@contextmanager
def undisturbed(estimator: Any) -> Iterator[None]:
    """Call the estimator without traces: no warnings, no random numbers drawn, nothing recorded."""
    autolog = _State.autolog
    assert autolog is not None
    with chance_kept(_generators(estimator)), autolog.hushed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _generators(estimator: Any) -> list[np.random.RandomState]:
    found = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return [value for value in found if isinstance(value, np.random.RandomState)]


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, *names: str) -> Any:
    """An argument by its place or one of its names."""
    if len(args) > place:
        return args[place]
    return next((kwargs[name] for name in names if name in kwargs), None)


@guarded
def _prepared(autolog: Autolog, estimator: Any) -> None:
    autolog.prepared(description.title(estimator), description.params(estimator))


def prepares(original: Call, autolog: Autolog, estimator: Any, call: tuple[Any, Any]) -> Any:
    """A call that fits what prepares data: it is no training, and what it trains on the way neither."""
    args, kwargs = call
    with autolog.hushed():
        result = original(estimator, *args, **kwargs)
    _prepared(autolog, estimator)
    return result
