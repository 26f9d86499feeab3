"""What following XGBoost and LightGBM has in common: calls that boost, told iteration by iteration.

A boosting inside another training (in a pipeline, in a search) is that one's business: of those the
last one counts, which a search fits on all data; its iterations are told when the run ends.
"""

from __future__ import annotations

import functools
import inspect
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mainspring.adapters.frameworks.importances import log_importances
from mainspring.adapters.frameworks.sources import Given, Sources
from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.recording.autologging import Autolog, Training, guarded
from mainspring.recording.run import Run
from mainspring.tracking.contract import TrainedModel
from mainspring.tracking.dataset_contract import DatasetRole
from mainspring.tracking.model_contract import Task

T = TypeVar("T")
MODELS = "mainspring.adapters.frameworks.tabular"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call that trains was given."""

    params: Mapping[str, Any]
    data: Given | None
    estimator: str = ""
    """The class of the estimator, if it is one's `fit`."""
    evaluated: Sequence[tuple[str, Given]] = ()
    """The sets that each iteration is evaluated on, by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a call that trains has made."""

    model: Any = None
    booster: Any = None
    task: Task = ""
    outputs: Sequence[str] = ("score",)
    """The names of the numbers that the model gives for a row."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Of the training as a whole, such as the best iteration."""
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of the features, by kind."""
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Values of each iteration that are known at the end only."""


class Boost:
    """One call that trains, as it is told."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.live = training.outermost
        self.since = 0.0
        self._call: Call | None = None
        self._last: tuple[int, Mapping[str, float]] | None = None
        self._waiting: list[tuple[int, Mapping[str, float]]] = []
        self._scores: Mapping[str, float] = {}

    @guarded
    def begin(self, told: Callable[[], Call], *, first: bool) -> None:
        """Tell what the call was given; inside another training only the sets it is evaluated on."""
        self._call = call = told()
        if self.live:
            self._params(call)
            if call.data is not None:
                self._dataset(call.data, "training", training=True)
        if self.live or first:
            for name, given in call.evaluated:
                self._dataset(given, name)

    @guarded
    def iteration(self, step: int, values: Mapping[str, float]) -> None:
        """Tell of one iteration."""
        if step % self.training.choices.every:
            self._last = (step, values)
            return
        self._last = None
        self._tell(step, values)

    @guarded
    def end(self, ended: Callable[[], Outcome], autolog: Autolog) -> None:
        """Tell what has become of it."""
        outcome = ended()
        if self._last is not None:
            self._tell(*self._last)
        self._history(outcome.history)
        seconds = time.perf_counter() - self.since
        self._scores = {"training/seconds": seconds, **outcome.scores}
        if not self.live:
            return
        self.later()
        if outcome.model is None:
            return
        for made in (outcome.model, outcome.booster):
            autolog.made(made, self.training)
        self._model(outcome)
        self._importances(outcome)

    @guarded
    def later(self) -> None:
        """Tell what has waited."""
        for step, values in self._waiting:
            self.training.metrics(values, step)
        self._waiting.clear()
        if self._scores:
            self.training.metrics(self._scores)

    def _tell(self, step: int, values: Mapping[str, float]) -> None:
        if self.live:
            self.training.metrics(values, step)
        else:
            self._waiting.append((step, values))

    def _history(self, history: Mapping[str, Sequence[float]]) -> None:
        for step in range(max((len(values) for values in history.values()), default=0)):
            self.iteration(
                step, {name: values[step] for name, values in history.items() if step < len(values)}
            )

    @guarded
    def _params(self, call: Call) -> None:
        if call.estimator:
            self.training.tags({"estimator": call.estimator})
        self.training.params({name: _said(value) for name, value in call.params.items()})

    @guarded
    def _dataset(self, given: Given, name: str, *, training: bool = False) -> None:
        role: DatasetRole = "training" if training else "validation"
        if not isinstance(given.features, str | Path):
            self.training.dataset(given.features, given.target, name=name, role=role)
        elif self.training.choices.datasets:
            # A file in a format of the library's own is known by its bytes.
            name = f"{self.training.prefix}.{name}" if self.training.prefix else name
            self.training.run.log_dataset(given.features, name=name, role=role, keep=False)

    @guarded
    def _model(self, outcome: Outcome) -> None:
        if not self.training.choices.models:
            return
        models = require(MODELS, "loop")
        given = self._call.data if self._call is not None else None
        sample = models.sample_of(given.features) if given is not None else None
        signature = models.signature_of(sample, outcome.outputs)
        tries: list[tuple[Any, Any, Any]] = []
        if signature is not None:
            tries.append((None, signature, sample))
        if sample is not None:
            tries.append(("", signature, sample))
        tries.append(("", models.outputs_alone(outcome.outputs), None))
        self.training.models.append(self._kept(outcome, tries))

    def _kept(self, outcome: Outcome, tries: Sequence[tuple[Any, Any, Any]]) -> TrainedModel:
        """The model for an engine of ours if one loads it, else as its library saves it."""
        *before, (engine, signature, sample) = tries
        words: dict[str, Any] = {"name": self.training.prefix or "model", "task": outcome.task}
        for one in before:
            try:
                return self.training.run.log_model(
                    outcome.model, engine=one[0], signature=one[1], sample=one[2], **words
                )
            except Invalid:
                continue
        return self.training.run.log_model(
            outcome.model, engine=engine, signature=signature, sample=sample, **words
        )

    @guarded
    def _importances(self, outcome: Outcome) -> None:
        log_importances(self.training, outcome.importances)


class Boosting:
    """Follows the calls of one library."""

    def __init__(self, autolog: Autolog) -> None:
        self.autolog = autolog
        self.sources = Sources()
        self._open: ContextVar[Boost | None] = ContextVar("mainspring_boost", default=None)
        self._inner: weakref.WeakKeyDictionary[Run, dict[str, Boost]] = weakref.WeakKeyDictionary()

    def construct(self, original: Callable[..., None]) -> Callable[..., None]:
        """The constructor of the library's own data, which remembers what it is made of."""

        @guarded
        def remember(made: Any, data: Any, label: Any = None, **_others: Any) -> None:
            self.sources.remember(made, Given(data, label))

        @functools.wraps(original)
        def construct(made: Any, *args: Any, **kwargs: Any) -> None:
            original(made, *args, **kwargs)
            remember(made, *args[:2], **kwargs)

        return construct

    def fit(
        self,
        original: Callable[..., Any],
        fitted: Callable[..., Call],
        outcome: Callable[[Any], Outcome],
    ) -> Callable[..., Any]:
        """An estimator's `fit`, told by what it was given and by what has become of the estimator."""

        @functools.wraps(original)
        def fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            return self.follow(
                type(estimator).__name__,
                lambda: fitted(original, estimator, args, kwargs),
                lambda: original(estimator, *args, **kwargs),
                lambda _made: outcome(estimator),
            )

        return fit

    @property
    def current(self) -> Boost | None:
        """The call of this thread that is being followed."""
        return self._open.get()

    def follow(
        self,
        title: str,
        told: Callable[[], Call],
        call: Callable[[], T],
        ended: Callable[[T], Outcome],
    ) -> T:
        """Make the call, and tell of it; a call inside one that is followed is part of that one."""
        if not self.autolog.follows or self.current is not None:
            return call()
        with ExitStack() as around:
            boost = self._begun(title, around)
            if boost is not None:
                boost.begin(told, first=boost.live or self._keep_inner(boost) is True)
                boost.since = time.perf_counter()
            made = call()
            if boost is not None:
                boost.end(lambda: ended(made), self.autolog)
        return made

    @guarded
    def _begun(self, title: str, around: ExitStack) -> Boost:
        boost = Boost(around.enter_context(self.autolog.training(title)))
        around.callback(self._open.reset, self._open.set(boost))
        return boost

    @guarded
    def _keep_inner(self, boost: Boost) -> bool:
        """Have the last boosting of a training told when the run ends; whether it is the first."""
        run, prefix = boost.training.run, boost.training.prefix
        if run not in self._inner:
            last: dict[str, Boost] = {}
            self._inner[run] = last
            run.observers.add(stop=lambda: [one.later() for one in last.values()])
        first = prefix not in self._inner[run]
        self._inner[run][prefix] = boost
        return first


def arguments_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by their names, those that were left out with their defaults."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def fits_of(module: Any) -> list[Any]:
    """The estimators of a module that have a `fit` of their own."""
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and "fit" in vars(one)
    ]


def evaluated_sets(
    pairs: Sequence[Any], names: Sequence[str], data: Given
) -> list[tuple[str, Given]]:
    """The sets that an estimator is evaluated on, but for the one that it is trained on."""
    given = [Given(pair[0], pair[1]) for pair in pairs]
    return [
        (name, one)
        for name, one in zip(names, given, strict=False)
        if one.features is not data.features
    ]


def class_of(estimator: object) -> str:
    """The class as one imports it."""
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}"


def _said(value: Any) -> Any:
    """Functions by their names."""
    name = getattr(value, "__qualname__", None)
    return name if name is not None and callable(value) else value
