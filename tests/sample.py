"""Valid requests for any operation, made from the types of its fields alone."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from mainspring.core.operation import Operation

CANDIDATES: tuple[object, ...] = (
    "x",
    "0" * 32,
    f"sha256:{'0' * 64}",
    "module:function",
    "2013-01-01T00:00:00Z",
    1,
    0.5,
    [],
    {},
    True,
)
"""Values of which every plain type takes at least one; the first that fits is used."""
CHOICES = (
    "low",
    "passed",
    "production",
    "binary",
    "training",
    "performance",
    "auc",
    "running",
    "files",
)


def sample(operation: Operation[Any, Any], **given: object) -> Any:
    """A request of the operation that its type accepts; only what is required, and what is given."""
    return msgspec.convert({**_fields(operation.request), **given}, operation.request)


def _fields(kind: Any) -> dict[str, object]:
    return {
        item.encode_name: _value(item.type)
        for item in msgspec.structs.fields(kind)
        if item.required
    }


def _value(kind: Any) -> object:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _fields(kind)
    for make in (_plain, _inside):
        for value in make(kind):
            if _fits(value, kind):
                return value
    raise AssertionError(f"no sample for {kind}")


def _plain(kind: Any) -> list[object]:
    return [*CANDIDATES, *CHOICES, *get_args(kind)]


def _inside(kind: Any) -> list[object]:
    """A list of one, for a type that wants at least one."""
    found: list[object] = []
    for part in _parts(kind):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            found += [[_fields(part)], _fields(part)]
            # Some types want one of several fields, none of which is required alone.
            optional = [item for item in msgspec.structs.fields(part) if not item.required]
            found += [[{**_fields(part), one.encode_name: _value(one.type)}] for one in optional]
    words = [[value] for part in _parts(kind) for value in get_args(part) if isinstance(value, str)]
    return [*found, ["x"], ["log"], *words]


def _parts(kind: Any) -> list[Any]:
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner))]


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError):
        return False
    return True
