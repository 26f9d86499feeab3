"""Autologging: trainings of known libraries tell of themselves, inside the run that is active.

A training that nothing surrounds belongs to the active run; if there is none it gets one of its own,
which stays open for what is logged afterwards, until the next training of its thread or the end of the
process. Trainings inside a training (cross-validation, a search's candidates, a booster in a pipeline)
are the outer one's business, and say so by `Training.outermost`. Threads of a pool belong to the
training that made the pool; worker processes record nothing by themselves.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from mainspring.core.errors import MainspringError
from mainspring.core.ids import new_id
from mainspring.recording import active
from mainspring.recording.children import Children
from mainspring.recording.duplicates import AlreadyTried
from mainspring.recording.framework import Framework, frameworks
from mainspring.recording.importing import when_imported
from mainspring.recording.inside import Surroundings, is_worker
from mainspring.recording.journal import Silent
from mainspring.recording.later import Later
from mainspring.recording.opening import Opening, Surface, open_run
from mainspring.recording.predictions import Predicted, Predictions
from mainspring.recording.run import Run, RunFacts
from mainspring.recording.training import Choices, Training

__all__ = ["Autolog", "Choices", "Training", "guarded", "install"]

P = ParamSpec("P")
T = TypeVar("T")

MAX_WHOLE = 20
"""Trainings of one run that are recorded with their models and figures."""
MAX_PREPARED = 50
MAX_REOPENED = 16

log = logging.getLogger("mainspring.autolog")


@dataclass(slots=True)
class _Told:
    """What trainings told within one run."""

    titles: dict[str, int] = field(default_factory=dict)
    trainings: int = 0
    led: bool = False
    """Whether one has the bare names."""
    children: Children | None = None
    later: Later | None = None

    def count(self, title: str) -> int:
        """How many have this title, with one more."""
        self.titles[title] = self.titles.get(title, 0) + 1
        return self.titles[title]


@dataclass(slots=True)
class _Own:
    """A run that was opened for a training."""

    run: Run
    thread: threading.Thread
    busy: int = 0


class Autolog:
    """What the hooks of frameworks are given."""

    def __init__(
        self,
        surface: Callable[[], Surface],
        choices: Choices,
        experiment: Callable[[], str] = lambda: "Default",
    ) -> None:
        self.choices = choices
        self.enabled = True
        self._surface = surface
        self._experiment = experiment
        self._lock = threading.RLock()
        self._owns: list[_Own] = []
        self._reopened: dict[str, Run] = {}
        self._prepared: list[tuple[str, Mapping[str, Any]]] = []
        self._told: weakref.WeakKeyDictionary[Run, _Told] = weakref.WeakKeyDictionary()
        self._inside = Surroundings()
        self._made: dict[int, tuple[weakref.ref[Any], Training]] = {}
        self._predictions = Predictions()
        self._pid = os.getpid()
        atexit.register(self._close)

    @property
    def follows(self) -> bool:
        """Whether hooks are to look at what is called here: not in worker processes."""
        if not self.enabled or is_worker():
            return False
        here = self._inside.here()
        return here is None or not here.hushed

    @property
    def current(self) -> Training | None:
        """The innermost training of this thread, or of the one that it works for."""
        here = self._inside.here()
        found: list[Training] = here.trainings if here is not None else []
        return found[-1] if found else None

    @contextmanager
    def training(
        self, title: str, under: str = "", config: Mapping[str, Any] | None = None
    ) -> Iterator[Training]:
        """Follow a call that trains; `title` is what users call it, such as the estimator's class.

        `under` is a prefix that its parameters and metrics have even if it is the first. `config`
        tells a run of its own from others of the same code and data: the training's parameters.
        """
        found = self.begun(title, under, config)
        own = self._own_of(found) if found.outermost else None
        try:
            with self._inside.inside(found), _busy(own):
                yield found
        except BaseException as error:
            if own is not None:
                own.run.finish("killed" if isinstance(error, KeyboardInterrupt) else "failed")
            raise

    def begun(
        self, title: str, under: str = "", config: Mapping[str, Any] | None = None
    ) -> Training:
        """A training that is no single call, such as a loop; `inside` says when its parts run."""
        around = self.current
        if around is not None:
            return Training(
                around.run, around.prefix, outermost=False, choices=self.choices, title=title
            )
        with self._lock:
            run = self._users_run() or self._opened(title, {under: config} if under else config)
            return self._outermost(run, title, under)

    @contextmanager
    def inside(self, training: Training) -> Iterator[None]:
        """Be inside the training: what trains now is part of it."""
        with self._inside.inside(training):
            yield

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Look at nothing that is called now, in this thread and those that work for it."""
        with self._inside.hushed():
            yield

    def prepared(self, title: str, params: Mapping[str, Any]) -> None:
        """Tell of a step that prepares data: to the run of the user, else to the next training's."""
        run = self._users_run()
        if run is not None:
            self._log_prepared(run, title, params)
        elif len(self._prepared) < MAX_PREPARED:
            self._prepared.append((title, params))

    def made(self, model: object, training: Training) -> None:
        """Remember which training a model comes from."""
        key = id(model)
        try:
            self._made[key] = (weakref.ref(model, lambda _: self._made.pop(key, None)), training)
        except TypeError:
            return  # nothing can be remembered of such an object

    def of(self, model: object) -> Training | None:
        """The training that a model comes from; more can be told of it even if its run is over."""
        known = self._made.get(id(model))
        return known[1] if known is not None and known[0]() is model else None

    def predicted(self, values: object, training: Training, features: object) -> None:
        """Remember predictions of a model, so that what is computed of them is told of it."""
        self._predictions.add(values, training, features)

    def prediction(self, values: object) -> Predicted | None:
        """Where predictions come from."""
        return self._predictions.of(values)

    def _outermost(self, run: Run, title: str, under: str) -> Training:
        told = self._told.setdefault(run, _Told())
        told.children = told.children or Children(run, self._surface)
        told.later = told.later or Later(run)
        first = not told.led and not under
        told.led = told.led or first
        count = told.count(under or title)
        prefix = "" if first else under or title
        prefix = prefix if count == 1 else f"{prefix or title}_{count}"
        told.trainings += 1
        choices = self.choices
        if told.trainings > MAX_WHOLE:
            choices = choices.lighter()
            run.say(
                "many trainings",
                "run %s has had %d trainings: models and figures of further ones are not kept",
                run.id,
                MAX_WHOLE,
            )
        found = Training(run, prefix, outermost=True, choices=choices, title=title)
        found.children, found.later, found.reopen = told.children, told.later, self._reopen
        return found

    def _users_run(self) -> Run | None:
        """The active run, if it is none of those that were opened for trainings."""
        own = {one.run for one in self._owns}
        here = active.enclosing_run()
        if here is not None and here not in own:
            return here
        return next((run for run in active.open_runs() if run not in own), None)

    def _opened(self, title: str, config: Mapping[str, Any] | None) -> Run:
        """A run for a training; the one before it of this thread ends, as do those of dead threads."""
        here = threading.current_thread()
        for own in list(self._owns):
            if not own.busy and (own.thread is here or not own.thread.is_alive()):
                own.run.finish()
            if own.run.over:
                self._owns.remove(own)
        try:
            opening = Opening(title=title, experiment=self._experiment(), config=config)
            run = open_run(self._surface(), opening)
        except AlreadyTried:
            raise
        except (MainspringError, OSError) as error:
            _once("opening a run", f"nothing is recorded: {error}")
            return Run(RunFacts(id=new_id(), name=title, experiment=""), Silent())
        if run.is_opener:
            active.step_aside(run)
            self._owns.append(_Own(run, here))
        for name, params in self._prepared:
            self._log_prepared(run, name, params)
        self._prepared.clear()
        return run

    def _log_prepared(self, run: Run, title: str, params: Mapping[str, Any]) -> None:
        told = self._told.setdefault(run, _Told())
        count = told.count(f"prepared {title}")
        if count <= MAX_PREPARED:
            name = title if count == 1 else f"{title}_{count}"
            run.log_params({f"{name}.{key}": value for key, value in params.items()})

    def _own_of(self, training: Training) -> _Own | None:
        return next((own for own in self._owns if own.run is training.run), None)

    def _reopen(self, run: Run) -> Run:
        """A way to add to a run that is over; it stays as it ended."""
        with self._lock:
            found = self._reopened.get(run.id)
            if found is None or found.over:
                while len(self._reopened) >= MAX_REOPENED:
                    self._reopened.pop(next(iter(self._reopened))).finish()
                opening = Opening(id=run.id, experiment=run.experiment, member=True)
                found = self._reopened[run.id] = open_run(self._surface(), opening)
                active.end(found)
            return found

    def _close(self) -> None:
        if os.getpid() == self._pid:
            for run in self._reopened.values():
                run.finish()


@contextmanager
def _busy(own: _Own | None) -> Iterator[None]:
    if own is None:
        yield
        return
    own.busy += 1
    try:
        yield
    finally:
        own.busy -= 1


def guarded(hook: Callable[P, T]) -> Callable[P, T | None]:
    """A hook that never fails the training it follows; a duplicate that should stop it, does."""

    @functools.wraps(hook)
    def call(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return hook(*args, **kwargs)
        except AlreadyTried:
            raise
        except MainspringError as error:
            _once(hook.__qualname__, f"{error.message}{f' ({error.fix})' if error.fix else ''}")
        except Exception as error:  # frameworks change: what is not understood is not logged
            _once(hook.__qualname__, f"{type(error).__name__}: {error}")
            log.debug("%s", hook.__qualname__, exc_info=True)
        return None

    return call


def install(autolog: Autolog, wanted: Callable[[Framework], bool] = lambda _one: True) -> None:
    """Follow the frameworks from now on, whenever each is imported."""
    for framework in frameworks().values():
        if wanted(framework):
            for module in framework.modules:
                when_imported(module, _installing(framework, autolog))


def _installing(framework: Framework, autolog: Autolog) -> Callable[[ModuleType], object]:
    @guarded
    def install_in(module: ModuleType) -> None:
        framework.install(module, autolog)

    return install_in


_said: set[tuple[str, str]] = set()


def _once(about: str, words: str) -> None:
    if (about, words) not in _said:
        _said.add((about, words))
        log.warning("autologging: %s", words)
