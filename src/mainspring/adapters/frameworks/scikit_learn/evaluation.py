"""What the script itself evaluates of a model: its score, and measures of its predictions."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import artifacts, following
from mainspring.adapters.frameworks.scikit_learn.evaluated_data import Data, DataSeen
from mainspring.recording.autologging import Autolog, Training, guarded

Call = Callable[..., Any]
Args = tuple[Any, ...]
MAX_TOLD = 500
"""Evaluations that are listed in `evaluations.json`."""


@dataclass(slots=True)
class _Evaluated:
    """What was evaluated of one training."""

    data: DataSeen = field(default_factory=DataSeen)
    told: list[dict[str, Any]] = field(default_factory=list)
    estimator: Callable[[], Any] = lambda: None


_evaluated: weakref.WeakKeyDictionary[Training, _Evaluated] = weakref.WeakKeyDictionary()


def trained_on(training: Training, digest: str) -> None:
    """Know the training's own data, if it is evaluated on that too."""
    _of(training).data.trained_on = digest


def data_of(training: Training, features: Any, target: Any) -> Data:
    """The data that a model of the training is evaluated on, linked to its run."""
    return _of(training).data.found(training, features, target)


def _of(training: Training) -> _Evaluated:
    return _evaluated.setdefault(training, _Evaluated())


def predicted(original: Call, estimator: Any, args: Args, kwargs: dict[str, Any]) -> Any:
    """Predict, and remember of which model and data the predictions are."""
    result = original(estimator, *args, **kwargs)
    autolog = following.listener()
    training = autolog.of(estimator) if autolog is not None else None
    if autolog is not None and training is not None:
        autolog.predicted(result, training, following.argument(args, kwargs, 0, "X"))
        _of(training).estimator = weakref.ref(estimator)
    return result


def scored(original: Call, estimator: Any, args: Args, kwargs: dict[str, Any]) -> Any:
    """Score, and log it."""
    autolog = following.listener()
    training = autolog.of(estimator) if autolog is not None else None
    if autolog is None or training is None:
        return original(estimator, *args, **kwargs)
    with autolog.hushed():
        result = original(estimator, *args, **kwargs)
    features = following.argument(args, kwargs, 0, "X")
    target = following.argument(args, kwargs, 1, "y", "Y")
    _tell_number(training, "score", result, (features, target))
    return result


def measured(original: Call, args: Args, kwargs: dict[str, Any]) -> Any:
    """Compute a measure, and log it if it is one of known predictions."""
    autolog = following.listener()
    found = _predictions_in(autolog, args, kwargs) if autolog is not None else None
    if autolog is None or found is None:
        return original(*args, **kwargs)
    with autolog.hushed():
        result = original(*args, **kwargs)
    target, values = found
    _tell_measure(autolog, _key(original, kwargs), result, (target, values))
    return result


def _predictions_in(autolog: Autolog, args: Args, kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    """What was true and what was predicted; some write them the wrong way round."""
    plain = (str, bool, int, float, type(None))
    both = [one for one in (*args[:2], *kwargs.values()) if not isinstance(one, plain)]
    for place, values in enumerate(both):
        if autolog.prediction(values) is not None:
            others = [one for at, one in enumerate(both) if at != place]
            return (others[0] if others else None), values
    return None


def _key(function: Call, kwargs: dict[str, Any]) -> str:
    """The function's name, with the arguments that make it another measure."""
    parts = [function.__name__]
    for name, value in sorted(kwargs.items()):
        if name in ("zero_division", "output_dict", "digits"):
            continue
        if isinstance(value, (str, bool, int, float)):
            parts.append(str(value) if name == "average" else f"{name}_{value}")
    return "_".join(parts)


@guarded
def _tell_measure(autolog: Autolog, key: str, result: Any, pair: tuple[Any, Any]) -> None:
    target, values = pair
    known = autolog.prediction(values)
    if known is None:
        return
    training, data = known.training, data_of(known.training, known.inputs(), target)
    if isinstance(result, str):
        training.words(result, f"{data.place}{key}.txt")
    elif isinstance(result, dict):
        training.table(result, f"{data.place}{key}.json")
    elif np.ndim(result) == 0:
        _log(training, data, key, float(result))
    _keep_charts(training, data, (target, values))


def _keep_charts(training: Training, data: Data, pair: tuple[Any, Any]) -> None:
    """Keep the charts of the predictions, once for each data."""
    if data.charted or data.inside:
        return
    estimator = _evaluated[training].estimator()
    with following.undisturbed(estimator):
        judged = None if estimator is None else artifacts.judged_by(estimator, *pair)
        if judged is not None:
            data.charted = True
            artifacts.keep(judged, training, data.place)


@guarded
def _tell_number(training: Training, key: str, result: Any, pair: tuple[Any, Any]) -> None:
    if np.ndim(result) == 0:
        _log(training, data_of(training, *pair), key, float(result))


def _log(training: Training, data: Data, key: str, value: float) -> None:
    name = f"{data.inside}{key}{data.suffix}"
    step = data.counts.get(name, 0)
    data.counts[name] = step + 1
    training.metrics({name: value}, step=step)
    told = _evaluated[training].told
    if len(told) < MAX_TOLD:
        entry = {"metric": name, "step": step, "value": value}
        told.append(entry | {"data": data.name, "digest": data.digest})
        training.table(told, "evaluations.json")
