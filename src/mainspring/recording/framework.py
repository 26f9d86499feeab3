"""The seam for training libraries: one file for each, found by the entry points `mainspring.frameworks`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from mainspring.core.signature import Signature

if TYPE_CHECKING:
    from mainspring.recording.autologging import Autolog

GROUP = "mainspring.frameworks"

log = logging.getLogger("mainspring.autolog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How a library saved one of its models."""

    files: Sequence[str]
    """The files' names in the folder."""
    params: Mapping[str, object] = field(default_factory=dict)
    """What one has to know of the model beside its files, such as its class."""
    engine: str = ""
    """The engine of ours that loads the files, if one does."""
    runs_code: bool = False
    """Whether loading them runs code in them, so that only a server that allows it serves them."""
    serve: Callable[[Signature | None], Signature] | None = None
    """Answers the signature that the engine serves it with, given or read off it; Invalid: it cannot."""


class Framework(Protocol):
    """Follows the trainings of one library, and keeps its models as the library does.

    An implementation imports its library nowhere but in `install` and `save`, where it is there.
    `mainspring.testing.framework` holds the exam.
    """

    name: str
    """As its users call it: "scikit-learn"."""
    modules: Sequence[str]
    """`install` is called with each of these modules as soon as it is imported."""

    def install(self, module: ModuleType, autolog: Autolog) -> None:
        """Wrap what trains, so that it tells; calls that fail in here must not fail a training."""
        ...

    def owns(self, model: object) -> bool:
        """Whether the model is one of this library."""
        ...

    def save(self, model: object, folder: Path) -> Saved:
        """Write the model into the folder, in the library's own safest format."""
        ...


def frameworks() -> dict[str, Framework]:
    """The frameworks that are known, by their entry points' names; one that is broken is left out."""
    if not _known:
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            try:
                found: Framework = entry.load()()
            except Exception as error:  # noqa: BLE001  somebody else's package must not stop a training
                log.warning("autologging: %s cannot be followed: %r", entry.name, error)
                continue
            _known[entry.name] = found
    return _known


def has_its_own(kind: type, but: Framework) -> bool:
    """Whether a class is, or derives from, one of another library that is followed."""
    roots = {
        module.partition(".")[0]
        for one in frameworks().values()
        if one.name != but.name
        for module in one.modules
    }
    return any(base.__module__.partition(".")[0] in roots for base in kind.__mro__)


def framework_of(model: object) -> Framework | None:
    """The framework whose model it is."""
    return next((one for one in frameworks().values() if one.owns(model)), None)


_known: dict[str, Framework] = {}
