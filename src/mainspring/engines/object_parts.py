"""What a model is made of, and what of it must be as it was after the model has been tried."""

from __future__ import annotations

import random
from collections.abc import Iterator
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


@contextmanager
def chance_kept(model: Any) -> Iterator[None]:
    """Draw no random number of anybody else's: all sources are put back to where they were.

    A model may draw when it is asked, from a source that it shares with whoever made it.
    """
    own, everybody = random.getstate(), np.random.get_state()
    states = [part for part in parts_of(model) if isinstance(part, np.random.RandomState)]
    shared = [(source, source.get_state()) for source in states]
    generators = [part for part in parts_of(model) if isinstance(part, np.random.Generator)]
    drawn = [(generator.bit_generator, generator.bit_generator.state) for generator in generators]
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(everybody)
        for source, state in shared:
            source.set_state(state)
        for bits, position in drawn:
            bits.state = position
