"""What the data sets of a library were made from: the library keeps its own form of it, or nothing."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

HELD = 64 * 2**20
"""Bytes up to which data are held; larger ones are found while somebody else holds them."""


@dataclass(frozen=True, slots=True)
class Given:
    """Features, and what is to be learned from them."""

    features: Any
    target: Any = None


class Sources:
    """Remembers the data as its user gave it, for as long as the library's data set is there."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, tuple[Any, Any]] = weakref.WeakKeyDictionary()

    def remember(self, made: Any, given: Given) -> None:
        """Remember what `made` was made from."""
        self._known[made] = (_held(given.features), _held(given.target))

    def of(self, made: Any) -> Given | None:
        """What it was made from; None if that is gone."""
        known = self._known.get(made)
        if known is None:
            return None
        features, target = (_found(one) for one in known)
        return Given(features, target) if features is not None else None


def _held(thing: Any) -> Any:
    if _bytes_of(thing) <= HELD:
        return thing
    try:
        return weakref.ref(thing)
    except TypeError:
        return None


def _found(held: Any) -> Any:
    return held() if isinstance(held, weakref.ref) else held


def _bytes_of(thing: Any) -> int:
    """How large it is in memory, as far as that is quickly said."""
    for name in ("nbytes", "estimated_size"):
        size = getattr(thing, name, None)
        if size is not None:
            return int(size() if callable(size) else size)
    if hasattr(thing, "memory_usage"):
        used = thing.memory_usage(deep=False)
        return int(used.sum() if hasattr(used, "sum") else used)
    values = getattr(thing, "data", None)
    return int(getattr(values, "nbytes", 0))
