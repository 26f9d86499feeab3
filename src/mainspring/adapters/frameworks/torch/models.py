"""The modules that an optimizer changes, and their weights as files."""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.recording.framework import Saved

SAFE, OWN = "model.safetensors", "model.pt"
WRAPPED = {
    "OptimizedModule": "_orig_mod",
    "DistributedDataParallel": "module",
    "DataParallel": "module",
}
"""Modules that run another one, and where they have it."""


def is_module(thing: object) -> bool:
    """Whether it is a module of PyTorch's, which need not be loaded to say so."""
    return any(
        kind.__name__ == "Module" and kind.__module__ == "torch.nn.modules.module"
        for kind in type(thing).__mro__
    )


def unwrapped(module: Any) -> Any:
    """The module that another one runs in parallel, or compiled."""
    while (name := WRAPPED.get(type(module).__name__)) is not None and hasattr(module, name):
        module = getattr(module, name)
    return module


def roots_of(optimizer: Any) -> list[Any]:
    """The outermost modules whose parameters an optimizer changes; those that cover most come first."""
    wanted = {id(one) for group in optimizer.param_groups for one in group["params"]}
    modules = _modules()
    parents: dict[int, list[Any]] = {}
    for one in modules:
        for child in one._modules.values():  # noqa: SLF001  children() would leave out what is shared
            parents.setdefault(id(child), []).append(one)
    direct = [
        one
        for one in modules
        if any(id(own) in wanted for own in one._parameters.values())  # noqa: SLF001
    ]
    return _covering(_tops(direct, parents), wanted)


def living_optimizers(torch: Any) -> list[Any]:
    """The optimizers that there are."""
    kind = torch.optim.Optimizer
    return [one for one in gc.get_objects() if issubclass(type(one), kind)]


def schedulers_of(torch: Any, optimizer: Any) -> list[Any]:
    """The schedulers of an optimizer's learning rate."""
    kind = torch.optim.lr_scheduler.LRScheduler
    found = [one for one in gc.get_objects() if issubclass(type(one), kind)]
    return [one for one in found if getattr(one, "optimizer", None) is optimizer]


def _modules() -> list[Any]:
    torch = sys.modules["torch"]
    kind = torch.nn.Module
    return [
        one
        for one in gc.get_objects()
        if issubclass(type(one), kind) and "_parameters" in vars(one) and "_modules" in vars(one)
    ]


def _tops(direct: Iterable[Any], parents: dict[int, list[Any]]) -> list[Any]:
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = list(direct)
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        above = parents.get(id(one), ())
        waiting.extend(above)
        if not above:
            inner = unwrapped(one)
            found[id(inner)] = inner
    return list(found.values())


def _covering(tops: list[Any], wanted: set[int]) -> list[Any]:
    own = {id(top): {id(one) for one in top.parameters()} for top in tops}
    chosen: list[Any] = []
    left = set(wanted)
    while left:
        best = max(
            tops,
            key=lambda top: (
                len(own[id(top)] & left),
                not type(top).__module__.startswith("torch.fx"),
                -len(own[id(top)]),
            ),
            default=None,
        )
        if best is None or not own[id(best)] & left:
            break
        chosen.append(best)
        left -= own[id(best)]
    return chosen


def is_whole(torch: Any, module: Any) -> bool:
    """Whether this process has all of its weights: of a sharded one, each has a part."""
    plain = (torch.Tensor, torch.nn.Parameter)
    weights = [*module.parameters(), *module.buffers()]
    return all(type(one) in plain and not one.is_meta for one in weights) and not any(
        type(one).__name__ == "FullyShardedDataParallel" for one in module.modules()
    )


def save(model: Any, folder: Path) -> Saved:
    """Write the weights of a module."""
    torch = require("torch", "loop")
    model = unwrapped(model)
    if not is_whole(torch, model):
        raise Invalid(
            f"the weights of a {type(model).__name__} are spread over processes or not there yet",
            field="model",
            fix="gather its state_dict, and log_artifact that",
        )
    with torch.no_grad():
        state = model.state_dict()
    params = {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "parameters": sum(one.numel() for one in model.parameters()),
    }
    if find_spec("safetensors") is not None and _is_plain(torch, state):
        # Weights that are shared are written for each of their names: so any loader finds them.
        weights = {name: one.detach().cpu().contiguous().clone() for name, one in state.items()}
        require("safetensors.torch", "loop").save_file(weights, folder / SAFE)
        return Saved(files=[SAFE], params={**params, "format": "safetensors"})
    torch.save(state, folder / OWN)
    try:
        torch.load(folder / OWN, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise Invalid(
            f"the state of a {type(model).__name__} holds more than tensors and plain values: "
            f"{str(error).splitlines()[0]}",
            field="model",
        ) from None
    return Saved(files=[OWN], params={**params, "format": "torch.save, weights only"})


def _is_plain(torch: Any, state: Any) -> bool:
    return bool(state) and all(
        isinstance(one, torch.Tensor) and one.layout == torch.strided and not one.is_quantized
        for one in state.values()
    )
