"""What is called on the way of every loop; where PyTorch traces a graph, nobody is told."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from mainspring.adapters.frameworks.torch.loop import Loop
from mainspring.core.extras import require
from mainspring.recording.autologging import Autolog, guarded

Function = Callable[..., Any]


class _Loops(threading.local):
    """The loop of each thread."""

    def __init__(self, torch: Any, autolog: Autolog) -> None:
        super().__init__()
        self.here = Loop(torch, autolog)


class _Hooks:
    """The hooks of one PyTorch."""

    def __init__(self, torch: Any, autolog: Autolog) -> None:
        self._torch = torch
        self._autolog = autolog
        self._loops = _Loops(torch, autolog)
        self.tracing: Callable[[], bool] = torch.compiler.is_compiling

    @property
    def loop(self) -> Loop | None:
        """The loop of this thread; None where nobody is to look."""
        autolog = self._autolog
        if not autolog.follows or autolog.current is not None or self._elsewhere():
            return None
        return self._loops.here

    def _elsewhere(self) -> bool:
        """Whether another process tells, or a graph of the device's is being recorded."""
        torch = self._torch
        together = torch.distributed
        if together.is_available() and together.is_initialized() and together.get_rank() > 0:
            return True
        return bool(torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing())

    @guarded
    def differentiated(self, tensors: Any) -> None:
        """A loss is about to be differentiated."""
        loop = self.loop
        if loop is not None:
            one = tensors if not isinstance(tensors, list | tuple) else next(iter(tensors), None)
            loop.differentiated(one)

    @guarded
    def stepped(self, optimizer: Any, closure: bool) -> None:  # noqa: FBT001  of one caller
        """An optimizer has stepped."""
        loop = self.loop
        if loop is not None:
            loop.stepped(optimizer, closure=closure)

    @guarded
    def scaled(self, original: Any, scaled: Any) -> None:
        """A loss was scaled for half precision."""
        loop = self.loop
        if loop is not None and isinstance(scaled, self._torch.Tensor):
            loop.scaled(original, scaled)

    @guarded
    def compared(self, module: Any, args: tuple[Any, ...], loss: Any) -> None:
        """A loss module was called."""
        loop = self.loop
        if loop is not None and isinstance(loss, self._torch.Tensor):
            loop.compared(module, args, loss)

    @guarded
    def loading(self, loader: Any, batches: Any) -> None:
        """Batches are about to be loaded."""
        loop = self.loop
        if loop is not None:
            # Whoever called the wrapper that called us, behind the guard.
            loop.passes.begin(loader, batches, sys._getframe(3))  # noqa: SLF001

    @guarded
    def loaded(self, batches: Any, batch: Any) -> None:
        """A batch was loaded."""
        loop = self.loop
        if loop is not None:
            loop.loaded(batches, batch)

    @guarded
    def exhausted(self, batches: Any) -> None:
        """There are no more batches."""
        loop = self.loop
        if loop is not None:
            loop.exhausted(batches)


def install(torch: Any, autolog: Autolog) -> None:
    """Look on from now on."""
    hooks = _Hooks(torch, autolog)
    torch.autograd.backward = _backward(hooks, torch.autograd.backward)
    loss = torch.nn.modules.loss._Loss  # noqa: SLF001  what all loss modules derive from
    loss.__call__ = _compare(hooks, loss.__call__)
    scaler = torch.amp.GradScaler
    scaler.scale = _scale(hooks, scaler.scale)
    loader = torch.utils.data.DataLoader
    loader.__iter__ = _load(hooks, loader.__iter__)
    batches = torch.utils.data.dataloader._BaseDataLoaderIter  # noqa: SLF001  has no other name
    batches.__next__ = _next(hooks, batches.__next__)

    def stepped(optimizer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not hooks.tracing():
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            hooks.stepped(optimizer, closure is not None)

    steps = require("torch.optim.optimizer", "loop")  # torch.optim hides it
    steps.register_optimizer_step_post_hook(stepped)


def _backward(hooks: _Hooks, original: Function) -> Function:
    @functools.wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if not hooks.tracing():
            hooks.differentiated(tensors)
        return original(tensors, *args, **kwargs)

    return backward


def _compare(hooks: _Hooks, original: Function) -> Function:
    @functools.wraps(original)
    def call(module: Any, *args: Any, **kwargs: Any) -> Any:
        loss = original(module, *args, **kwargs)
        if not hooks.tracing():
            hooks.compared(module, args, loss)
        return loss

    return call


def _scale(hooks: _Hooks, original: Function) -> Function:
    @functools.wraps(original)
    def scale(scaler: Any, outputs: Any) -> Any:
        scaled = original(scaler, outputs)
        if not hooks.tracing():
            hooks.scaled(outputs, scaled)
        return scaled

    return scale


def _load(hooks: _Hooks, original: Function) -> Function:
    @functools.wraps(original)
    def iterate(loader: Any) -> Any:
        batches = original(loader)
        hooks.loading(loader, batches)
        return batches

    return iterate


def _next(hooks: _Hooks, original: Function) -> Function:
    @functools.wraps(original)
    def fetch(batches: Any) -> Any:
        try:
            batch = original(batches)
        except StopIteration:
            hooks.exhausted(batches)
            raise
        hooks.loaded(batches, batch)
        return batch

    return fetch
