"""The data behind a loader, as arrays that can be digested: no code of the user's is run for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainspring.adapters.frameworks.sources import Given

LARGEST = 2 * 2**30
"""Bytes of data that are read for a digest."""
MAX_WORDS = 500


def data_of(torch: Any, dataset: Any) -> Given | None:
    """What a data set is made of; None where items come from code, from streams, or are too many."""
    if isinstance(dataset, torch.utils.data.Subset):
        return _part(torch, dataset)
    if isinstance(dataset, torch.utils.data.IterableDataset):
        return None
    found = _arrays(torch, dataset)
    if not found:
        return _folder(dataset)
    if sum(_bytes(one) for one in found.values()) > LARGEST:
        return None
    return _given({name: as_array(torch, one) for name, one in found.items()})


def described(dataset: Any) -> dict[str, Any]:
    """What can be said of a data set without reading it."""
    found: dict[str, Any] = {"class": type(dataset).__name__}
    rows = _length(dataset)
    if rows is not None:
        found["rows"] = rows
    for name in ("transform", "target_transform"):
        value = getattr(dataset, name, None)
        if value is not None:
            found[name] = _words(value)
    return found


def as_array(torch: Any, values: Any) -> Any:
    """The values in memory, as NumPy has them."""
    if not isinstance(values, torch.Tensor):
        return values
    values = values.detach().cpu()
    if values.dtype == torch.bfloat16:
        values = values.float()
    return values.resolve_conj().resolve_neg().numpy()


def _arrays(torch: Any, dataset: Any) -> dict[str, Any]:
    """The tensors and arrays of a data set that have an entry for each item."""
    rows = _length(dataset)
    if rows is None:
        return {}
    if isinstance(dataset, torch.utils.data.TensorDataset):
        named = {str(place): one for place, one in enumerate(dataset.tensors)}
    else:
        named = {
            name.lstrip("_"): value for name, value in getattr(dataset, "__dict__", {}).items()
        }
    return {
        name: value
        for name, value in named.items()
        if _is_array(torch, value) and len(value.shape) > 0 and value.shape[0] == rows
    } | _lists(named, rows)


def _lists(named: dict[str, Any], rows: int) -> dict[str, Any]:
    """Targets that are a list of numbers, as torchvision has them beside an array of pictures."""
    return {
        name: value
        for name, value in named.items()
        if name in ("targets", "labels")
        and isinstance(value, list)
        and len(value) == rows
        and all(isinstance(one, int | float) for one in value)
    }


def _is_array(torch: Any, value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.layout == torch.strided and not value.is_meta
    kind = getattr(value, "dtype", None)
    return type(value).__module__ == "numpy" and getattr(kind, "kind", "O") in "biufUSM"


def _given(arrays: dict[str, Any]) -> Given:
    """Features and target where there are two of that shape, else columns by their names."""
    if len(arrays) == 1:
        return Given(next(iter(arrays.values())))
    if len(arrays) == 2:
        features, target = arrays.values()
        if _axes(features) < _axes(target):
            features, target = target, features
        if _axes(target) == 1 and _axes(features) > 1:
            return Given(features, target)
    return Given(arrays)


def _axes(values: Any) -> int:
    return len(getattr(values, "shape", (0,)))


def _part(torch: Any, subset: Any) -> Given | None:
    """The rows of a part, such as `random_split` makes."""
    whole = _arrays(torch, subset.dataset)
    if not whole:
        return None
    share = len(subset.indices) / max(1, len(subset.dataset))
    if sum(_bytes(one) for one in whole.values()) * share > LARGEST:
        return None
    places = torch.as_tensor(subset.indices, dtype=torch.int64).numpy()
    taken = {
        name: [one[place] for place in places.tolist()]
        if isinstance(one, list)
        else as_array(torch, one)[places]
        for name, one in whole.items()
    }
    return _given(taken)


def _folder(dataset: Any) -> Given | None:
    """The folder of a data set that lists its files."""
    root, samples = getattr(dataset, "root", None), getattr(dataset, "samples", None)
    if not isinstance(root, str | Path) or not isinstance(samples, list) or not samples:
        return None
    try:
        paths = [Path(one[0]) for one in samples]
        small = sum(path.stat().st_size for path in paths) <= LARGEST
    except (OSError, TypeError, IndexError):
        return None
    return Given(Path(root)) if small else None


def _bytes(values: Any) -> int:
    return int(getattr(values, "nbytes", 0))


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except (TypeError, NotImplementedError, AttributeError):
        return None


def _words(value: Any) -> str:
    return " ".join(repr(value).split())[:MAX_WORDS]
