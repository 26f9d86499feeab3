"""Which arrays are predictions of which model, so that what is computed of them can be told of it."""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass
from typing import Any

HELD_BYTES = 256 * 2**20
VIEWS = 4


@dataclass(frozen=True, slots=True)
class Predicted:
    """An array, and where it comes from."""

    training: Any
    features: Any
    """What it was predicted for; a function, which answers None once large data is gone."""

    def inputs(self) -> Any:
        """What it was predicted for, if that still exists."""
        return self.features() if isinstance(self.features, weakref.ref) else self.features


class Predictions:
    """Remembers predictions as long as somebody else does."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Predicted]] = {}

    def add(self, values: Any, training: Any, features: Any) -> None:
        """Remember where the values come from, with small data until they are gone."""
        large = size_of(features) > HELD_BYTES
        try:
            held = weakref.ref(features) if large else features
            # Some are views themselves (XGBoost's): a view of those comes from what is behind them.
            for one in (values, _behind(values)):
                self._known[id(one)] = (self._watched(one), Predicted(training, held))
        except TypeError:
            return  # lists and tuples cannot be told from others later

    def _watched(self, values: Any) -> weakref.ref[Any]:
        key = id(values)
        return weakref.ref(values, lambda _: self._known.pop(key, None))

    def of(self, values: Any) -> Predicted | None:
        """Where the values, or what they are a view of, come from."""
        if not self._known:
            return None
        for _ in range(VIEWS):
            found = self._known.get(id(values))
            if found is not None and found[0]() is values:
                return found[1]
            values = getattr(values, "base", None)
            if values is None:
                return None
        return None


def _behind(values: Any) -> Any:
    """The array that the values are a view of, or themselves."""
    base = getattr(values, "base", None)
    return base if type(base) is type(values) else values


def size_of(data: Any) -> int:
    """About how many bytes the data takes."""
    size = getattr(data, "nbytes", None)
    if isinstance(size, int):
        return size
    usage = getattr(data, "memory_usage", None)
    if callable(usage):
        found = usage(index=False)
        return int(getattr(found, "sum", lambda: found)())
    inner = getattr(data, "data", None)  # the values of a sparse matrix
    size = getattr(inner, "nbytes", None)
    return size if isinstance(size, int) else sys.getsizeof(data)
