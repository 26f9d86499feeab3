"""What a model takes: a few rows of a batch, or of what a loop without batches gives it again and again."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any

ROWS = 5
MAX_NUMBERS = 20_000
"""Numbers in a sample."""


def rows_of(torch: Any, batch: Any) -> Any:
    """A few rows of the first tensor of a batch, on the host; None if there is none, or it is wide."""
    first = _first(torch, batch)
    if first is None or first.ndim == 0 or type(first) is not torch.Tensor:
        return None
    if first.device.type != "cpu" or first.layout != torch.strided:
        return None  # reading it would wait for the device
    rows = first[:ROWS]
    return rows.detach().clone() if rows.numel() <= MAX_NUMBERS else None


def _first(torch: Any, batch: Any) -> Any:
    if isinstance(batch, torch.Tensor):
        return batch
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return next((found for one in batch if (found := _first(torch, one)) is not None), None)
    return None


class Watch:
    """Looks at what a module is called with, twice: the same tensor again is all the data there is."""

    def __init__(
        self, torch: Any, module: Any, sampled: Callable[[Any], None], whole: Callable[[Any], None]
    ) -> None:
        self._torch = torch
        self._module = weakref.ref(module)
        self._sampled = sampled
        self._whole = whole
        self._seen: weakref.ref[Any] | None = None
        self._handle: Any = None
        # Hooks make what is compiled compile again.
        compiled = getattr(sys.modules.get("torch._dynamo.utils"), "counters", {})
        if not compiled.get("frames"):
            register = torch.nn.modules.module.register_module_forward_pre_hook
            self._handle = register(self._called)

    def stop(self) -> None:
        """Look no more."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _called(self, module: Any, args: tuple[Any, ...]) -> None:
        own = self._module()
        if own is None or module is not own or not own.training:
            return
        first = _first(self._torch, args)
        if first is None:
            self.stop()
        elif self._seen is None:
            self._seen = weakref.ref(first)
            self._sampled(first)
        else:
            self.stop()
            if self._seen() is first:
                self._whole(first)
