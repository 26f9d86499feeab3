"""How datasets are named, and what differs between two of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

ALGORITHM = "sha256:"
PREFIX = re.compile(r"(?:sha256:)?[0-9a-f]{8,64}")
UNTOLD = frozenset({"name", "sample", "count"})
"""Keys of a summary that say nothing of the data by themselves; rows and missing tell the count."""

Summary = Mapping[str, Any]
Facts = dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Named:
    """A dataset as it is asked for."""

    name: str | None
    digest: str | None
    """A beginning of the digest, without its algorithm; whole if the client of another tool made it."""


def ways_to_read(reference: str) -> list[Named]:
    """What a reference may mean, the likeliest first."""
    found = []
    if PREFIX.fullmatch(reference):
        found.append(Named(None, reference.removeprefix(ALGORITHM)))
    name, at, digest = reference.rpartition("@")
    if at and name and digest:
        found.append(Named(name, digest.removeprefix(ALGORITHM)))
    return [*found, Named(reference, None)]


def columns_said(columns: Sequence[Summary], schema: str | None) -> list[dict[str, Any]]:
    """The columns of a dataset, also where only another tool's schema tells of them."""
    if columns or not schema:
        return [dict(column) for column in columns]
    try:
        said = msgspec.json.decode(schema)
    except msgspec.DecodeError:
        return []
    listed = said.get("mlflow_colspec") if isinstance(said, dict) else None
    named = (one for one in listed or () if isinstance(one, dict) and "name" in one)
    return [{"name": str(one["name"]), "type": str(one.get("type", ""))} for one in named]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between the columns of two datasets."""

    added: list[str]
    removed: list[str]
    reordered: bool
    changed: list[tuple[str, Facts]]


def difference(left: Sequence[Summary], right: Sequence[Summary]) -> Difference:
    """Compare columns by their names; a name that is there twice, by its first column."""
    before, after = _by_name(left), _by_name(right)
    both = [name for name in before if name in after]
    compared = [(name, facts_that_differ(before[name], after[name])) for name in both]
    return Difference(
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        reordered=both != [name for name in after if name in before],
        changed=[(name, facts) for name, facts in compared if facts],
    )


def _by_name(columns: Sequence[Summary]) -> dict[str, Summary]:
    found: dict[str, Summary] = {}
    for column in columns:
        found.setdefault(str(column.get("name", "")), column)
    return found


def facts_that_differ(left: Summary, right: Summary) -> Facts:
    """The facts of two summaries of one column that are not the same, left and right.

    If one of them says no more than the type, the types alone are compared.
    """
    before, after = _facts(left), _facts(right)
    poor = not (before.keys() & after.keys()) - {"type", "missing"}
    keys = dict.fromkeys(["type", "missing"] if poor else ["type", "missing", *before, *after])
    return {
        key: (before.get(key), after.get(key))
        for key in keys
        if before.get(key) != after.get(key) and (not poor or (key in before and key in after))
    }


def _facts(summary: Summary, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in summary.items():
        if isinstance(value, Mapping):
            found |= _facts(value, f"{path}{key}.")
        elif path or key not in UNTOLD:
            found[f"{path}{key}"] = _top(value) if key == "top" else value
    return found


def _top(values: Any) -> Any:
    """The most frequent values without their counts, which differ with every row."""
    if not isinstance(values, list):
        return values
    return [one.get("value") if isinstance(one, Mapping) else one for one in values]
