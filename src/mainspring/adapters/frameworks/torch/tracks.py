"""The steps of a model: the loss of each, and the learning rates."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.adapters.frameworks.torch.readings import BLOCK, Reading

EACH = 1000
"""Steps whose loss is told one by one; later ones as means."""
WINDOW = 10
Tell = Callable[[dict[str, float], int], object]


class Track:
    """What the optimizers of one model do."""

    def __init__(self, torch: Any, label: str, every: int, *, root: Any) -> None:
        self.label = label
        self.root = root
        self.steps = 0
        self._torch = torch
        self._every = every
        self._block: list[tuple[int, list[Any]]] = []
        self._under_way: deque[tuple[list[tuple[int, int]], Reading, dict[str, float]]] = deque()
        self._window: list[float] = []
        self._epoch: list[float] = [0.0, 0.0]

    def step(self, values: Sequence[Any], rates: Callable[[], dict[str, float]]) -> None:
        """Count a step; `values` were differentiated for it, and lie on their device."""
        if not values:
            return  # another optimizer's, for the same loss
        self._block.append((self.steps, list(values)))
        self.steps += 1
        if len(self._block) >= BLOCK:
            self._send(rates())

    def tell(self, tell: Tell, *, name: str, wait: bool = False) -> None:
        """Tell what has arrived, under `name`; with `wait` all there is."""
        if wait and self._block:
            self._send({})
        while len(self._under_way) > (0 if wait else 1):
            places, reading, rates = self._under_way.popleft()
            values = iter(reading.values())
            for place, (step, count) in enumerate(places):
                loss = sum(next(values) for _ in range(count))
                more = rates if place == len(places) - 1 else {}
                self._take(step, loss, {name: loss}, more, tell)

    def epoch(self) -> float | None:
        """The mean of the losses since the last time."""
        total, count = self._epoch
        self._epoch = [0.0, 0.0]
        return total / count if count else None

    def _send(self, rates: dict[str, float]) -> None:
        flat = [value for _, values in self._block for value in values]
        places = [(step, len(values)) for step, values in self._block]
        self._under_way.append((places, Reading(self._torch, flat), rates))
        self._block.clear()

    def _take(
        self, step: int, loss: float, named: dict[str, float], rates: dict[str, float], tell: Tell
    ) -> None:
        self._epoch[0] += loss
        self._epoch[1] += 1
        self._window.append(loss)
        width = max(self._every, 1 if step < EACH else WINDOW)
        found = dict(rates)
        if len(self._window) >= width:
            mean = sum(self._window) / len(self._window)
            found |= dict.fromkeys(named, mean)
            self._window.clear()
        if found:
            tell(found, step)


def rates_of(optimizer: Any) -> dict[str, float]:
    """The learning rate, or those of its groups where they differ."""
    rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
    if len(set(rates)) == 1:
        return {"lr": rates[0]}
    return {f"lr/{place}": rate for place, rate in enumerate(rates[:WINDOW])}
