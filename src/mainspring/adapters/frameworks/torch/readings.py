"""Values that a device computes, read when they are there: nobody waits for one in the middle of a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

BLOCK = 10
"""Values that are read at once."""


def copy_of(value: Any) -> Any:
    """The value on its device, without the graph it comes from; what is done to it later stays away."""
    return value.detach().clone()


class Reading:
    """Some values on their way from the device."""

    def __init__(self, torch: Any, values: Sequence[Any]) -> None:
        self._event: Any = None
        first = values[0]
        same = all(one.dtype == first.dtype and one.device == first.device for one in values)
        self._whole = torch.stack([one.reshape(()) for one in values]) if same else None
        self._apart = [] if same else list(values)
        if same and first.device.type == "cuda":
            there = torch.empty(len(values), dtype=first.dtype, pin_memory=True)
            there.copy_(self._whole, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(first.device))
            self._whole = there

    def values(self) -> list[float]:
        """The values; waits for the device if they are not there yet."""
        if self._whole is None:
            return [float(one) for one in self._apart]
        if self._event is not None:
            self._event.synchronize()
        return [float(one) for one in self._whole.tolist()]


class Means:
    """Means of values, each with a weight."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._waiting: dict[str, list[tuple[Any, float]]] = {}
        self._read: dict[str, tuple[float, float]] = {}
        self._under_way: deque[tuple[str, list[float], Reading]] = deque()

    def add(self, name: str, value: Any, weight: float = 1.0) -> None:
        """Add a value that lies on a device."""
        waiting = self._waiting.setdefault(name, [])
        waiting.append((copy_of(value), weight))
        if len(waiting) >= BLOCK:
            self._send(name)
            while len(self._under_way) > 2 * len(self._waiting):
                self._take()

    def __bool__(self) -> bool:
        return bool(self._read or self._under_way or any(self._waiting.values()))

    def taken(self) -> dict[str, float]:
        """The means of what was added since the last time."""
        for name in self._waiting:
            self._send(name)
        while self._under_way:
            self._take()
        found = {name: total / weight for name, (total, weight) in self._read.items() if weight}
        self._read.clear()
        self._waiting.clear()
        return found

    def _send(self, name: str) -> None:
        waiting = self._waiting[name]
        if waiting:
            values, weights = zip(*waiting, strict=True)
            self._under_way.append((name, list(weights), Reading(self._torch, values)))
            waiting.clear()

    def _take(self) -> None:
        name, weights, reading = self._under_way.popleft()
        total, weight = self._read.get(name, (0.0, 0.0))
        for value, one in zip(reading.values(), weights, strict=True):
            total, weight = total + value * one, weight + one
        self._read[name] = (total, weight)
