"""Plugs: things that others may add, found by entry point, loaded on first use."""

from __future__ import annotations

import sys
from functools import cache, lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mainspring.core.errors import NotFound
from mainspring.core.text import closest

KINDS = {
    "doors": "answer the API of another tool beside our own, for instance MLflow's",
    "engines": "load a model folder so that it can be called",
    "checks": "judge a version before it may enter a stage",
    "check_parameters": "say what a check may be told, so that a suite is read when it is declared",
    "frameworks": "follow the trainings of a library, and keep its models",
    "notifiers": "tell people outside Mainspring about an alert",
}
"""Every kind of plug (entry-point group `mainspring.<kind>`); docs/plugs.md lists the same."""


def installed(kind: str) -> list[str]:
    """The names of the plugs of a kind, sorted."""
    assert kind in KINDS, kind
    return list(_found(kind, _places()))


def _places() -> tuple[tuple[str, int], ...]:
    """Where packages are looked for, and when something was last added or taken away there."""
    paths = [(place, Path(place)) for place in sys.path]
    return tuple((place, path.stat().st_mtime_ns if path.exists() else 0) for place, path in paths)


# Whatever is installed says so in a file of its own, and a suite is declared with the database locked.
@lru_cache(maxsize=64)
def _found(kind: str, _places: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in entry_points(group=f"mainspring.{kind}")}))


@cache
def plug(kind: str, name: str) -> Any:
    """Load the plug; the error names those that are installed."""
    assert kind in KINDS, kind
    for entry in entry_points(group=f"mainspring.{kind}", name=name):
        return entry.load()
    names = installed(kind)
    raise NotFound(
        f"no plug {name!r} of kind {kind!r}{closest(name, names)}; installed: {', '.join(names)}",
        fix=f"install a package that declares the entry point {name!r} in 'mainspring.{kind}'",
    )
