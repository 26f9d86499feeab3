"""PyTorch: loops that nobody wrote for being followed, by the calls that every loop makes.

A loop is followed from the first step of an optimizer on: what differentiates (the loss), what steps,
what loads batches and what evaluates tells of itself. Nothing here waits for a device, keeps a graph
alive, or draws a random number. The model is kept when its run ends, or another loop begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mainspring.adapters.frameworks.torch import hooks, models
from mainspring.recording.autologging import Autolog
from mainspring.recording.framework import Saved
from mainspring.recording.ranks import rank


class PyTorch:
    """Follows PyTorch."""

    name = "torch"
    modules: Sequence[str] = ("torch",)

    def install(self, module: ModuleType, autolog: Autolog) -> None:
        """Look on at what every loop calls; of processes that train together the first one tells."""
        if rank() == 0:
            hooks.install(module, autolog)

    def owns(self, model: object) -> bool:
        """Whether it is a module of PyTorch's."""
        return models.is_module(model)

    def save(self, model: Any, folder: Path) -> Saved:
        """Write its weights as safetensors, or else as `torch.load` reads it with `weights_only`."""
        return models.save(model, folder)
