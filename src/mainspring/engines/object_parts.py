"""What a model is made of, and what of it must be as it was after the model has been tried."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np


def parts_of(root: Any) -> Iterator[Any]:
    """Every object that can be reached from the root, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float, type(None))):
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_inside(part))


def _inside(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [*part.keys(), *part.values()]
    if isinstance(part, (list, tuple, set, frozenset)):
        return list(part)
    if isinstance(part, np.ndarray):
        return list(part.flat) if part.dtype == object else []
    return list(getattr(part, "__dict__", {}).values())


Source = np.random.RandomState | np.random.Generator


def sources_in(model: Any) -> list[Source]:
    """The sources of chance that a model holds, wherever in it."""
    return [part for part in parts_of(model) if isinstance(part, Source)]


@contextmanager
def chance_kept(sources: Sequence[Source]) -> Iterator[None]:
    """Draw no random number of anybody else's: these sources, and everybody's, are put back.

    A model may draw when it is asked, from a source that it shares with whoever made it.
    """
    own, everybody = random.getstate(), np.random.get_state()
    states = [(source, _state(source)) for source in sources]
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(everybody)
        for source, state in states:
            _put_back(source, state)


def _state(source: Source) -> Any:
    if isinstance(source, np.random.Generator):
        return source.bit_generator.state
    return source.get_state()


def _put_back(source: Source, state: Any) -> None:
    if isinstance(source, np.random.Generator):
        source.bit_generator.state = state
    else:
        source.set_state(state)
