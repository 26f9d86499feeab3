"""Patterns of names, `churn-*`: whether a name fits, as `core/matching.py` asks a database."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

NamePattern = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=250,
        # Few stars: what a database has to try grows with each.
        pattern=r"^(?![^*]*(\*[^*]*){5})[^@/:\x00-\x1f\x7f\ud800-\udfff\ufffd]+$(?!\n)",
        description="a name in which * stands for any letters and ? for one; at most 4 stars",
    ),
]
Patterns = tuple[str, ...] | None
"""None is every name."""


def fits(name: str, patterns: Patterns) -> bool:
    """Whether one of the patterns matches the whole name, by case."""
    return patterns is None or any(fnmatchcase(name, literal(one)) for one in patterns)


def shown(patterns: Sequence[str]) -> str:
    """The patterns in a sentence."""
    return ", ".join(repr(one) for one in patterns)


def literal(pattern: str) -> str:
    """The pattern for those who read brackets as choices."""
    return pattern.replace("[", "[[]")
