"""The data that models are evaluated on: recognised, named, linked once each."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from mainspring.recording.autologging import Training, guarded
from mainspring.recording.predictions import size_of

SMALL_BYTES = 2**20
"""Data of this size is digested each time; of more it is believed that it stays the same."""
OPTIMIZED = 0x1
"""The flag of code with local variables of its own: functions, not modules and cells."""
OURS = frozenset({"mainspring", "sklearn"})


@dataclass(slots=True)
class Data:
    """One dataset that models of a training were evaluated on."""

    name: str
    digest: str
    suffix: str = ""
    """What tells its measures from those on other data."""
    inside: str = ""
    """What its measures begin with: `training/` on the data that was trained on."""
    charted: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    """How often each measure was taken."""
    objects: tuple[Callable[[], Any], ...] = ()

    @property
    def place(self) -> str:
        """Where its files go."""
        return f"evaluation/{self.name}/"

    def holds(self, features: Any, target: Any) -> bool:
        """Whether these are the very objects."""
        found = [known() for known in self.objects]
        return len(found) == 2 and found[0] is features and found[1] is target


@dataclass(slots=True)
class DataSeen:
    """The datasets of one training."""

    trained_on: str = ""
    known: list[Data] = field(default_factory=list)

    def found(self, training: Training, features: Any, target: Any) -> Data:
        """The dataset; a new one is linked."""
        for one in self.known:
            if one.holds(features, target):
                return one
        name = _name_in_script(features) or "evaluation"
        digest = _linked(training, features, target, name) or ""
        known = (one for one in self.known if digest and one.digest == digest)
        data = next(known, None) or self._new(name, digest)
        if not digest or size_of(features) > SMALL_BYTES:
            data.objects = (_weakly(features), _weakly(target))
        return data

    def _new(self, name: str, digest: str) -> Data:
        if digest and digest == self.trained_on:
            data = Data("training", digest, inside="training/")
        else:
            others = sum(not one.inside for one in self.known)
            taken = any(one.name == name for one in self.known)
            name = f"{name}_{len(self.known) + 1}" if taken else name
            data = Data(name, digest, suffix=f"_{others + 1}" if others else "")
        self.known.append(data)
        return data


@guarded
def _linked(training: Training, features: Any, target: Any, name: str) -> str | None:
    if features is None:
        return None
    used = training.dataset(features, target, name=name, role="evaluation")
    return used.digest if used is not None else None


def _weakly(thing: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(thing)
    except TypeError:
        return lambda: thing


def _name_in_script(data: Any) -> str | None:
    """The variable that holds the data, where a script or a notebook calls from its top level.

    Inside functions nothing is looked up: asking a frame for its local variables keeps them alive.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the caller's names are wanted
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in OURS:
            break
        frame = frame.f_back
    if frame is None or frame.f_code.co_flags & OPTIMIZED:
        return None
    names = (name for name, value in list(frame.f_globals.items()) if value is data)
    return next((name for name in names if not name.startswith("_")), None)
