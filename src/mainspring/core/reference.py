"""People in the log of events: by reference, so that what is hashed holds no name of theirs.

A reference is `person:` and the person's public id. What somebody wrote that already looks like one is
stored with a `=` behind the colon, one more than it had, and read back without: it means nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mainspring.core.event import Event

PREFIX = "person:"
FIRST_BY_REFERENCE = 2
"""The schema version of events from which on people are in them by reference."""
_REFERENCE = re.compile(r"person:[0-9a-f]{32}")
_LIKE_ONE = re.compile(r"person:(=*)([0-9a-f]{32})")
# As our own sentences name somebody: `'dora' may not`. Each quote may end one and begin the next.
_QUOTED = re.compile(r"(?<=')[^'\n]{1,250}(?=')")
_NAME = re.compile(r"[A-Za-z0-9_\-. ]{1,250}")
_ERASED = re.compile(r"erased-[0-9a-f]{8,32}")


def reference_of(public_id: str) -> str:
    """How the log refers to a person."""
    return f"{PREFIX}{public_id}"


def erased_name(public_id: str, length: int = 8) -> str:
    """What an erased person is called."""
    return f"erased-{public_id[:length]}"


def is_erased_name(name: str) -> bool:
    """Whether an erased person may be called so, and nobody else."""
    return _ERASED.fullmatch(name) is not None


def with_words(value: Any, change: Callable[[str], str]) -> Any:
    """The document with each text changed, or what it has in single quotes; keys stay."""
    if isinstance(value, str):
        if "'" not in value:
            return change(value)
        return _QUOTED.sub(lambda found: change(found[0]), value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {key: with_words(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_words(item, change) for item in value]
    return with_words(msgspec.to_builtins(value), change)


def possible_names(value: Any) -> set[str]:
    """The words of a document that may name somebody."""
    return {word for word in _words(value) if _NAME.fullmatch(word)}


def referring(value: Any, references: Mapping[str, str]) -> Any:
    """The document with references in place of the names of people."""

    def change(word: str) -> str:
        found = references.get(word)
        if found is not None:
            return found
        like = _LIKE_ONE.fullmatch(word) if word.startswith(PREFIX) else None
        return word if like is None else f"{PREFIX}={like[1]}{like[2]}"

    return with_words(value, change)


def references_in(event: Event) -> set[str]:
    """Whom an event as it is stored refers to."""
    if event.schema_version < FIRST_BY_REFERENCE:
        return set()
    words = _words(event.facts)
    if event.actor_kind == "person":
        words.add(event.actor)
    if event.subject_kind == "person":
        words.add(event.subject)
    return {word for word in words if _REFERENCE.fullmatch(word)}


def told(event: Event, names: Mapping[str, str]) -> Event:
    """An event as it is stored, with the names that people have now."""
    if event.schema_version < FIRST_BY_REFERENCE:
        return event

    def change(word: str) -> str:
        like = _LIKE_ONE.fullmatch(word) if word.startswith(PREFIX) else None
        if like is None:
            return word
        return f"{PREFIX}{like[1][1:]}{like[2]}" if like[1] else names.get(word, word)

    return msgspec.structs.replace(
        event,
        actor=change(event.actor) if event.actor_kind == "person" else event.actor,
        subject=change(event.subject) if event.subject_kind == "person" else event.subject,
        facts=with_words(event.facts, change),
        names={},
    )


def _words(value: Any) -> set[str]:
    words: set[str] = set()

    def note(word: str) -> str:
        words.add(word)
        return word

    with_words(value, note)
    return words
