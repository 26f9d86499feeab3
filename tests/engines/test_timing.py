"""Engines are timed in turns, for a bounded time, with rows that change."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.engines.tensor import Tensors
from mainspring.engines.timing import FEWEST, MOST, WARM_UP, medians

ROWS: Tensors = {"x": np.arange(2000.0)}


class Time:
    """A clock that goes on by what engines say they take."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now


class Costed:
    """An engine that takes a time a call and a time a row; its first call takes long."""

    def __init__(self, time: Time, name: str, call_s: float, row_s: float) -> None:
        self._time, self._name, self._call_s, self._row_s = time, name, call_s, row_s
        self.given: list[float] = []

    def predict(self, inputs: Tensors) -> Tensors:
        first = not self.given
        self.given.append(float(inputs["x"][0]))
        self._time.calls.append(self._name)
        self._time.now += 100 * first + self._call_s + self._row_s * len(inputs["x"])
        return {"score": inputs["x"]}


def test_the_median_of_each_engine_is_found_at_each_size() -> None:
    time = Time()
    engines = {"a": Costed(time, "a", 0.25, 0.0), "b": Costed(time, "b", 0.0, 0.125)}

    found = medians(engines, ROWS, within_s=1000.0, clock=time)

    assert found == {
        1: {"a": 0.25, "b": 0.125},
        32: {"a": 0.25, "b": 4.0},
        1000: {"a": 0.25, "b": 125.0},
    }


def test_they_take_turns() -> None:
    time = Time()
    engines = {name: Costed(time, name, 0.001, 0.0) for name in ("a", "b")}

    medians(engines, ROWS, sizes=(1,), within_s=1000.0, clock=time)

    assert time.calls == ["a", "b"] * (WARM_UP + MOST)


@pytest.mark.parametrize(("call_s", "turns"), [(50.0, FEWEST), (1.0, 10), (0.001, MOST)])
def test_the_time_is_bounded(call_s: float, turns: int) -> None:
    time = Time()
    engine = Costed(time, "a", call_s, 0.0)
    # The first call takes 100 s and the warm-up two calls: what is left is for nine turns of 1 s.
    within_s = 100.0 + WARM_UP + 9.5

    medians({"a": engine}, ROWS, sizes=(1,), within_s=within_s, clock=time)

    assert len(engine.given) == WARM_UP + turns


def test_each_turn_takes_other_rows_the_same_for_every_engine() -> None:
    time = Time()
    engines = {name: Costed(time, name, 1.0, 0.0) for name in ("a", "b")}

    medians(engines, ROWS, sizes=(32,), within_s=1.0, clock=time)

    assert engines["a"].given == engines["b"].given
    assert engines["a"].given[WARM_UP:] == [0.0, 32.0, 64.0]
