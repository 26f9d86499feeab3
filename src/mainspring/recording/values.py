"""What people log, as numbers under names that may be kept; nothing here raises for a bad value."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_KEY = 250
_FOREIGN = re.compile(r"[^A-Za-z0-9_\-. :/]")


def clean_key(key: object) -> str:
    """The name with every character that metrics and parameters cannot have as an underscore."""
    return _FOREIGN.sub("_", str(key))[:MAX_KEY] or "_"


def number(value: Any) -> float | None:
    """The float of a number, a boolean, or an array or tensor of one element; else None."""
    if isinstance(value, (float, int)):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if isinstance(value, numbers.Real):
        return float(value)
    item = getattr(value, "item", None)
    # numpy, torch, jax: a scalar, or an array of one.
    if callable(item) and not isinstance(value, str):
        try:
            return number(item())
        except (ValueError, TypeError, RuntimeError, RecursionError):
            return None
    return None


def flattened(found: Mapping[Any, Any], mark: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, the names on the way joined by the mark."""
    for key, value in found.items():
        if isinstance(value, Mapping) and value:
            for inner, leaf in flattened(value, mark):
                yield f"{key}{mark}{inner}", leaf
        else:
            yield str(key), value


def plain(value: Any) -> Any:
    """The value as JSON can say it; what it cannot say as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    return _plain_leaf(value)


def _plain_leaf(value: Any) -> bool | str | int | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _sayable(value)
    if isinstance(value, numbers.Integral):
        whole = int(value)
        return whole if -(2**63) <= whole < 2**63 else str(whole)
    found = number(value)
    if found is None:
        return _said(value)[:6000]
    return found if math.isfinite(found) else str(found)


def text(value: Any, limit: int) -> str:
    """The value as the text of a parameter or a tag."""
    said = value if isinstance(value, str) else str(plain(value))
    said = _sayable(said)
    return said if len(said) <= limit else said[: limit - 1] + "…"


def _sayable(said: str) -> str:
    """The text without what no database keeps: NUL, and halves of characters."""
    return said.replace("\x00", "").encode("utf-8", "replace").decode()


def _said(value: object) -> str:
    try:
        return _sayable(str(value))
    except Exception:  # noqa: BLE001  there are objects that cannot be printed
        return f"<{type(value).__name__}>"
