"""Passes over data: which loader's batches are learned from, and which are evaluated on."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from mainspring.adapters.frameworks.torch import description

FRAMES = 12
"""How far up we look for the name of a loader."""
TELLING = re.compile(r"train|val|test|eval|dev|holdout", re.IGNORECASE)
TAIL = re.compile(r"[_.]?(data)?_?(loader|iterator|iter|batches|dl)s?$", re.IGNORECASE)


@dataclass(slots=True)
class Pass:
    """One way through a loader."""

    dataset: Callable[[], Any]
    """What it goes through, if that is still there; loaders are often made for one pass."""
    how: dict[str, Any]
    """How batches are made."""
    name: str
    """What its user calls the loader, if that tells anything; else empty."""
    number: int
    batches: int = 0
    learned: bool = False
    over: bool = False
    sample: Any = None
    """A few rows of the first batch."""


@dataclass(slots=True)
class Passes:
    """The passes of one thread."""

    count: int = 0
    learned: list[Pass] = field(default_factory=list)
    """Those that the latest loss was of."""
    _of: weakref.WeakKeyDictionary[Any, Pass] = field(default_factory=weakref.WeakKeyDictionary)
    _names: weakref.WeakKeyDictionary[Any, str] = field(default_factory=weakref.WeakKeyDictionary)
    _fresh: list[Pass] = field(default_factory=list)
    """Those with batches that nothing was learned from yet."""

    def begin(self, loader: Any, batches: Any, frame: FrameType | None) -> None:
        """Somebody goes through the loader; `frame` is where."""
        if loader not in self._names:
            self._names[loader] = name_of(loader, frame)
        self.count += 1
        name = self._names[loader]
        how = description.loader(loader)
        self._of[batches] = Pass(weakly(loader.dataset), how, name, self.count)

    def of(self, batches: Any) -> Pass | None:
        """The pass that an iterator belongs to."""
        return self._of.get(batches)

    def fetched(self, one: Pass) -> None:
        """A batch was fetched: passes that began later, such as one that evaluates, are left behind."""
        one.batches += 1
        self._fresh = [other for other in self._fresh if other.number < one.number]
        self._fresh.append(one)

    def learn(self) -> None:
        """Something is learned from what was fetched."""
        if not self._fresh:
            return  # the same batch once more
        for one in self._fresh:
            one.learned = True
        self.learned, self._fresh = self._fresh, []

    def end(self, one: Pass) -> None:
        """There is nothing more to fetch."""
        one.over = True
        if one in self._fresh:
            self._fresh.remove(one)

    @property
    def newest(self) -> Pass | None:
        """The pass that the latest batch is of, until something is learned from it."""
        return self._fresh[-1] if self._fresh else None


def weakly(thing: Any) -> Callable[[], Any]:
    """A way to the thing that does not keep it alive, if it can be had."""
    try:
        return weakref.ref(thing)
    except TypeError:
        return lambda: thing  # a list


def name_of(loader: Any, frame: FrameType | None) -> str:
    """What the code that goes through a loader calls it: `val` of `val_loader`."""
    for _ in range(FRAMES):
        if frame is None:
            return ""
        for name in _names_in(frame.f_locals, loader):
            short = TAIL.sub("", name).strip("_. ")
            if short and TELLING.search(short):
                return short
        frame = frame.f_back
    return ""


def _names_in(names: Any, loader: Any) -> Iterator[str]:
    """Variables, attributes of `self`, and entries of dictionaries that hold it."""
    for name, value in list(names.items()):
        if value is loader:
            yield str(name)
        elif type(value) is dict and len(value) < 100:
            yield from (str(key) for key, inner in list(value.items()) if inner is loader)
    own = getattr(names.get("self"), "__dict__", None)
    if isinstance(own, dict):
        yield from (str(name) for name, value in list(own.items()) if value is loader)
