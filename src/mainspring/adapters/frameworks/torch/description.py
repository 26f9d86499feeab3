"""What can be said of a loop before it has learned: its optimizers, models and loaders, as parameters."""

from __future__ import annotations

from typing import Any

from mainspring.adapters.frameworks.torch.models import schedulers_of

HOW = frozenset({"foreach", "fused", "capturable", "differentiable"})
"""How an optimizer computes, and not what."""
MAX_WORDS = 1_000_000


def optimizer(torch: Any, one: Any, place: int) -> dict[str, Any]:
    """Its class, its settings, and what changes its learning rate."""
    name = "optimizer" if place == 1 else f"optimizer_{place}"
    first = one.param_groups[0]
    settings = {
        key: first.get("initial_lr", first[key]) if key == "lr" else first[key]
        for key in one.defaults
        if key in first and key not in HOW and first[key] is not None
    }
    found: dict[str, Any] = {name: type(one).__name__}
    found |= {f"{name}.{key}": _plain(value) for key, value in settings.items()}
    if len(one.param_groups) > 1:
        found[f"{name}.groups"] = len(one.param_groups)
    schedulers = schedulers_of(torch, one)
    if schedulers:
        names = list(dict.fromkeys(type(scheduler).__name__ for scheduler in schedulers))
        found["scheduler" if place == 1 else f"scheduler_{place}"] = ", ".join(names)
    return found


def model(root: Any, place: int) -> dict[str, Any]:
    """Its class and its size."""
    name = "model" if place == 1 else f"model_{place}"
    weights = list(root.parameters())
    return {
        name: type(root).__name__,
        f"{name}.parameters": sum(one.numel() for one in weights),
        f"{name}.trainable_parameters": sum(one.numel() for one in weights if one.requires_grad),
        f"{name}.device": weights[0].device.type if weights else "none",
    }


def words(root: Any) -> str:
    """The modules that it is made of."""
    return f"{root!r}\n"[:MAX_WORDS]


def loader(one: Any) -> dict[str, Any]:
    """How batches are made."""
    found: dict[str, Any] = {"drop_last": bool(one.drop_last), "workers": one.num_workers}
    size = one.batch_size or getattr(one.batch_sampler, "batch_size", None)
    if size is not None:
        found["batch_size"] = size
    sampler = type(getattr(one, "sampler", None)).__name__
    found["shuffle"] = sampler in ("RandomSampler", "DistributedSampler", "WeightedRandomSampler")
    return found


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "item") else value
