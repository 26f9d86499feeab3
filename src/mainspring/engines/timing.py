"""How long the engines of one model take for some numbers of rows, taking turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from mainspring.engines.engine import Engine
from mainspring.engines.table import SIZES
from mainspring.engines.tensor import Tensors

Clock = Callable[[], float]
Medians = dict[int, dict[str, float]]
"""Rows of a call -> engine -> median seconds."""

WARM_UP = 2
"""Calls before the first that counts: they allocate, and page a model in."""
FEWEST, MOST = 3, 101
"""Turns of each engine: a slow one is not timed for ever, a quick one not for nothing."""


def medians(
    engines: Mapping[str, Engine],
    rows: Tensors,
    *,
    sizes: Sequence[int] = SIZES,
    within_s: float = 1.5,
    clock: Clock = time.perf_counter,
) -> Medians:
    """The median seconds of a call of each engine, for each of the sizes.

    The engines take turns, so that a busy moment of the machine meets them all. Together all calls
    take about `within_s`, or FEWEST turns and the warm-up where a call takes long. `rows` have to be
    as many as the largest size; each turn takes other rows, the same for every engine.
    """
    return {size: _at(engines, rows, size, within_s / len(sizes), clock) for size in sizes}


def _at(
    engines: Mapping[str, Engine], rows: Tensors, size: int, within_s: float, clock: Clock
) -> dict[str, float]:
    began = clock()
    for turn in range(WARM_UP):
        for engine in engines.values():
            engine.predict(_window(rows, size, turn))
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for turn in range(MOST):
        if turn >= FEWEST and clock() - began > within_s:
            break
        window = _window(rows, size, turn)
        for name, engine in engines.items():
            before = clock()
            engine.predict(window)
            spent[name].append(clock() - before)
    return {name: median(times) for name, times in spent.items()}


def _window(rows: Tensors, size: int, turn: int) -> Tensors:
    count = len(next(iter(rows.values())))
    first = turn * size % (count - size + 1)
    return {name: values[first : first + size] for name, values in rows.items()}
