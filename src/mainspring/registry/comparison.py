"""In what two versions differ: pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Parts = Mapping[str, Mapping[str, Any]]
"""What is known of a version: of each part (metrics, params, ...) its entries."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One entry that is not the same; None where a version has none."""

    part: str
    key: str
    left: Any
    right: Any


def differences(left: Parts, right: Parts) -> list[Difference]:
    """Every entry that differs, by part and key; both sides have the same parts."""
    return [
        Difference(part=part, key=key, left=left[part].get(key), right=right[part].get(key))
        for part in left
        for key in sorted(left[part].keys() | right[part].keys())
        if left[part].get(key) != right[part].get(key)
    ]


def equal_entries(left: Parts, right: Parts) -> dict[str, int]:
    """How many entries of each part are the same."""
    return {
        part: sum(key in right[part] and right[part][key] == value for key, value in ours.items())
        for part, ours in left.items()
    }


def flat(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A nested document as one level, its keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found
