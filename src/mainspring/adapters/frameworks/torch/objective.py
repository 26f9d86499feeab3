"""What a loop minimises, as far as its calls tell."""

from __future__ import annotations

import re
import weakref
from dataclasses import dataclass
from typing import Any

from mainspring.tracking.model_contract import Task

TASKS: dict[str, Task] = {
    "CrossEntropyLoss": "multiclass",
    "NLLLoss": "multiclass",
    "NllLoss": "multiclass",
    "BCELoss": "binary",
    "BCEWithLogitsLoss": "binary",
    "BinaryCrossEntropy": "binary",
    "BinaryCrossEntropyWithLogits": "binary",
    "MSELoss": "regression",
    "MseLoss": "regression",
    "L1Loss": "regression",
    "SmoothL1Loss": "regression",
    "HuberLoss": "regression",
}


@dataclass(slots=True)
class Objective:
    """The loss function that is learned by."""

    name: str = ""
    scaled: bool = False
    """Whether losses are scaled for half precision."""
    width: int | None = None
    """How many numbers the model gives for a row, where that is known."""
    target: weakref.ref[Any] | None = None
    """What the latest output was compared with."""
    _module: str = ""

    def compared(self, module: Any, args: tuple[Any, ...]) -> None:
        """A loss module was called to learn."""
        self._module = type(module).__name__
        if args and getattr(args[0], "ndim", 0) == 2:
            self.width = int(args[0].shape[1])
        if len(args) > 1:
            self.target = weakref.ref(args[1])

    def differentiated(self, loss: Any) -> None:
        """A loss is differentiated: by a module that was called for it, or by what made it."""
        if self._module:
            self.name, self._module = self._module, ""
        elif not self.name and loss.grad_fn is not None:
            self.name = re.sub(r"Backward\d*$", "", loss.grad_fn.name())

    @property
    def task(self) -> Task:
        """What is learned."""
        return TASKS.get(self.name, "")

    @property
    def outputs(self) -> list[str]:
        """The names of the numbers that the model gives for a row, as far as they are known."""
        if self.width is None:
            return ["score"] if self.task in ("binary", "regression") else []
        return ["score"] if self.width == 1 else [f"score_{place}" for place in range(self.width)]


def correct(module: Any, args: tuple[Any, ...]) -> Any:
    """How many rows an output gets right, on its device; None where that cannot be said."""
    if len(args) < 2:
        return None
    output, target = args[:2]
    kind = type(module).__name__
    if kind in ("CrossEntropyLoss", "NLLLoss"):
        if output.ndim == 2 and target.ndim == 1 and not target.is_floating_point():
            return (output.argmax(1) == target).sum()
    elif kind == "BCEWithLogitsLoss" and output.shape == target.shape:
        return ((output > 0) == (target > 0.5)).all(-1).sum() if output.ndim > 1 else None
    return None
