"""Fits: what is told before and after one that nothing surrounds."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainspring.adapters.frameworks.scikit_learn import (
    artifacts,
    description,
    evaluation,
    following,
    outcome,
    scores,
    search,
)
from mainspring.adapters.frameworks.scikit_learn.sampling import (
    SIGNATURE_ROWS,
    first_rows,
    length,
)
from mainspring.recording.autologging import Autolog, Training, guarded

Call = Callable[..., Any]
MAX_BATCHES = 20
"""Batches of `partial_fit` whose data are linked."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One call that fits."""

    estimator: Any
    features: Any
    target: Any
    training: Training
    autolog: Autolog
    seconds: float = 0.0


def fitted(original: Call, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Fit, and tell of it if it is a call of the user's own."""
    autolog = following.listener()
    if autolog is None or following.is_foreign(estimator):
        return original(estimator, *args, **kwargs)
    if not _is_model(estimator):
        return following.prepares(original, autolog, estimator, (args, kwargs))
    features = following.argument(args, kwargs, 0, "X", "raw_documents", "data")
    target = following.argument(args, kwargs, 1, "y", "Y")
    config = _config(estimator)
    with autolog.training(description.title(estimator), config=config) as training:
        begun = Fit(estimator, features, target, training, autolog)
        _before(begun, kwargs)
        start = time.perf_counter()
        result = original(estimator, *args, **kwargs)
        seconds = time.perf_counter() - start
        after(Fit(estimator, features, target, training, autolog, seconds))
    return result


def fit_predicted(
    original: Call, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Fit and predict the same data."""
    result = fitted(original, estimator, args, kwargs)
    autolog = following.listener()
    training = autolog.of(estimator) if autolog is not None else None
    if autolog is not None and training is not None:
        autolog.predicted(result, training, following.argument(args, kwargs, 0, "X"))
    return result


def partly_fitted(
    original: Call, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Fit one batch more; all batches of an estimator are one training."""
    autolog = following.listener()
    if autolog is None or following.is_foreign(estimator):
        return original(estimator, *args, **kwargs)
    if not _is_model(estimator):
        with autolog.hushed():
            return original(estimator, *args, **kwargs)
    stream = _streams.get(estimator)
    if stream is None or stream.fit.training.run.over:
        stream = _begin_stream(autolog, estimator)
    if stream is None:
        return original(estimator, *args, **kwargs)
    stream.link(following.argument(args, kwargs, 0, "X"), following.argument(args, kwargs, 1, "y"))
    with autolog.inside(stream.fit.training):
        return original(estimator, *args, **kwargs)


def _is_model(estimator: Any) -> bool:
    try:
        return description.is_model(estimator)
    except Exception:  # noqa: BLE001  properties of somebody's class: what raises here says so in its own time
        return False


def _before(fit: Fit, kwargs: dict[str, Any]) -> None:
    _describe(fit)
    _further(fit, kwargs)
    _link(fit)


@guarded
def _config(estimator: Any) -> dict[str, Any]:
    return description.config(estimator)


@guarded
def _describe(fit: Fit) -> None:
    fit.training.tags({"estimator": description.class_path(fit.estimator)})
    fit.training.params(description.config(fit.estimator))


@guarded
def _further(fit: Fit, kwargs: dict[str, Any]) -> None:
    """Arguments of the call beside the data, such as weights."""
    known = {"X", "y", "Y", "raw_documents", "data"}
    found = {key: value for key, value in kwargs.items() if key not in known and value is not None}
    if found:
        fit.training.params(
            {f"fit.{key}": _said(value) for key, value in found.items()},
        )


def _said(value: Any) -> Any:
    rows = length(value) if not isinstance(value, (str, dict)) else None
    return description.said(value) if rows is None else f"{rows} values"


@guarded
def _link(fit: Fit) -> None:
    used = fit.training.dataset(fit.features, fit.target, name="training")
    if used is not None:
        evaluation.trained_on(fit.training, used.digest)


def after(fit: Fit) -> None:
    """Tell what came of it."""
    models = [fit.estimator, getattr(fit.estimator, "best_estimator_", None)]
    for model in models:
        if model is not None:
            fit.autolog.made(model, fit.training)
    _tell_outcome(fit)
    _tell_search(fit)
    _keep_model(fit)
    _tell_scores(fit)
    _keep_words(fit)


@guarded
def _tell_outcome(fit: Fit) -> None:
    outcome.tell(fit.estimator, fit.training, fit.seconds)


@guarded
def _tell_search(fit: Fit) -> None:
    if hasattr(fit.estimator, "cv_results_"):
        search.tell(fit.estimator, fit.training)


@guarded
def _keep_model(fit: Fit) -> None:
    best = getattr(fit.estimator, "best_estimator_", fit.estimator)
    if best is fit.estimator and hasattr(fit.estimator, "cv_results_"):
        return  # a search without refit has no model
    sample = first_rows(fit.features, SIGNATURE_ROWS)
    outputs = None
    if sample is not None and hasattr(best, "predict"):
        with following.undisturbed(best):
            outputs = best.predict(first_rows(fit.features, SIGNATURE_ROWS, as_given=True))
    fit.training.model(best, sample=sample, outputs=outputs, task=scores.task(best))


@guarded
def _tell_scores(fit: Fit) -> None:
    with following.undisturbed(fit.estimator):
        found = scores.of(fit.estimator, fit.features, fit.target, fit.seconds)
    if found is None:
        return
    fit.training.metrics({f"training/{key}": value for key, value in found.metrics.items()})
    if found.rows < found.all_rows:
        fit.training.params({"training_score_rows": found.rows})
    artifacts.keep(found.judged, fit.training)


@guarded
def _keep_words(fit: Fit) -> None:
    with following.undisturbed(fit.estimator):
        artifacts.keep_importances(fit.estimator, fit.features, fit.training)
        artifacts.keep_words(fit.estimator, fit.training)


@dataclass(slots=True)
class _Stream:
    """The batches of one estimator."""

    fit: Fit
    batches: int = 0
    rows: int = 0
    last: Any = None

    def link(self, features: Any, target: Any) -> None:
        """Link the batch that is about to be fitted."""
        self._tell(features, target)

    @guarded
    def _tell(self, features: Any, target: Any) -> None:
        self.batches += 1
        self.rows += length(features) or 0
        self.last = first_rows(features, SIGNATURE_ROWS)
        self.fit.training.metrics({"training/rows": self.rows}, step=self.batches)
        if self.batches <= MAX_BATCHES:
            self.fit.training.dataset(features, target, name=f"batch_{self.batches}")

    def end(self) -> None:
        """Keep the model as it is when its run ends."""
        self._keep()

    @guarded
    def _keep(self) -> None:
        estimator, training = self.fit.estimator, self.fit.training
        outcome.tell(estimator, training, None)
        outputs = None
        if self.last is not None and hasattr(estimator, "predict"):
            with following.undisturbed(estimator):
                outputs = estimator.predict(self.last)
        training.model(estimator, sample=self.last, outputs=outputs, task=scores.task(estimator))
        with following.undisturbed(estimator):
            artifacts.keep_words(estimator, training)


_streams: weakref.WeakKeyDictionary[Any, _Stream] = weakref.WeakKeyDictionary()


@guarded
def _begin_stream(autolog: Autolog, estimator: Any) -> _Stream:
    training = autolog.begun(description.title(estimator), config=_config(estimator))
    autolog.made(estimator, training)
    fit = Fit(estimator, None, None, training, autolog)
    _describe(fit)
    stream = _Stream(fit)
    training.run.observers.add(stop=stream.end)
    _streams[estimator] = stream
    return stream
