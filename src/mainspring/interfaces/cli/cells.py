"""One value as text: short for people, whole for programs."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

ID = re.compile(r"[0-9a-f]{32}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What a name or a message from elsewhere could steer a terminal with.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def short(value: Any) -> str:
    """A value as it stands in a table."""
    if value is None or value in ({}, []):
        return "-"
    if isinstance(value, str):
        return printable(shortened_id(value))
    if isinstance(value, Mapping | Sequence):
        return nested(value)
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return str(value)


def shortened_id(text: str) -> str:
    """An id or a digest by its first 8 characters; other texts as they are."""
    if ID.fullmatch(text):
        return text[:8]
    return text[:15] if DIGEST.fullmatch(text) else text


def printable(text: str) -> str:
    """The text on one line, without characters that steer a terminal."""
    return UNPRINTABLE.sub(
        lambda found: " " if found[0] in "\n\t\r" else "\N{REPLACEMENT CHARACTER}", text
    )


def breadth(text: str) -> int:
    """The columns of a terminal that a text takes: wide letters take two, marks above others none."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fitting(text: str, room: int) -> str:
    """The text in exactly so many columns: filled up, or cut with an ellipsis."""
    taken = breadth(text)
    if taken <= room:
        return text + " " * (room - taken)
    kept, left = "", room - 1
    for letter in text:
        left -= _columns(letter)
        if left < 0:
            break
        kept += letter
    return f"{kept}…{' ' * (room - 1 - breadth(kept))}"


def nested(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A document in few words: `auc=0.71 psi=0.02`; a list of named things by their names."""
    if isinstance(value, Mapping):
        return " ".join(facts_of(value))
    named = [
        item["name"] if isinstance(item, Mapping) and "name" in item else item for item in value
    ]
    return ", ".join(short(item) for item in named)


def facts_of(document: Mapping[str, Any]) -> list[str]:
    """What a document says, as `name=value`, the uppermost first; what says nothing is left out."""
    said = [(name, leaf) for name, leaf in leaves(document) if leaf not in (None, "", [], {})]
    said.sort(key=lambda fact: fact[0].count("."))
    return [f"{name}={_quoted(short(leaf))}" for name, leaf in said]


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def leaves(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The values inside nested documents, by dotted names."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def whole(value: Any) -> str:
    """A value as it stands in tab-separated lines: complete, on one line, without tabs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return value.replace("\\", "\\\\").translate({9: "\\t", 10: "\\n", 13: "\\r"})
    if isinstance(value, int | float):
        return str(value)
    return msgspec.json.encode(value).decode()
