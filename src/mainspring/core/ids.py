"""Public ids and the rules for names."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable
from typing import Annotated

import msgspec

from mainspring.core.errors import Invalid

# `$` alone would let a newline follow: `(?!\n)` says no to it, in Python as in JSON Schema.
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="32 hex characters")]
Digest = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^sha256:[0-9a-f]{64}$(?!\n)", description="sha256: and 64 hex characters"
    ),
]
Time = Annotated[dt.datetime, msgspec.Meta(tz=True)]
# PostgreSQL cannot store NUL in text; lone surrogates are refused by the JSON decoder already.
PLAIN = r"^[^\x00]*$"
Text = Annotated[str, msgspec.Meta(max_length=10_000, pattern=PLAIN)]
Key = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=250,
        pattern=r"^[A-Za-z0-9_\-. :/]+$(?!\n)",
        description="letters, digits, _ - . : / and spaces",
    ),
]
Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=250,
        pattern=r"^(?![. ])(?![0-9]+$)[A-Za-z0-9_\-. ]*[A-Za-z0-9_\-.]$(?!\n)",
        description="a name: letters, digits, _ - . and inner spaces; not digits only",
    ),
]
ModelName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=250,
        pattern=r"^(?!\.)(?![0-9]+$)[^@/:\x00-\x1f\x7f\ud800-\udfff\ufffd]*"
        r"[^@/:\s\x00-\x1f\x7f\ud800-\udfff\ufffd]$(?!\n)",
        description="a name without @ / : and control characters; not digits only",
    ),
]
Version = Annotated[int, msgspec.Meta(ge=1, le=2_000_000_000)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Place = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A row's number to go on after; beyond 2**53 JSON numbers are not exact."""

RESERVED_ALIASES = frozenset({"development", "staging", "production", "archived", "none", "latest"})


def new_id() -> str:
    """A fresh public id."""
    return uuid.uuid4().hex


def derived_id(*parts: str) -> str:
    """The same id for the same parts, so that doing a step again names the same thing."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\x1f".join(parts)).hex


def reaction_request_ids(event: str, reaction: str) -> Callable[[str, bytes], str]:
    """Request ids that are the same when a reaction is done again, so that nothing is done twice.

    By the event's id and not the job's: a database may give a finished job's number to another.
    """
    return lambda name, body: f"{event}.{reaction}.{name}.{hashlib.sha256(body).hexdigest()[:32]}"


def parse_model_reference(text: str) -> tuple[str, str]:
    """Split `MODEL@V` at the last `@`: V is a version if digits, else a stage or an alias."""
    model, at, rest = text.rpartition("@")
    if not at or not model or not rest:
        raise Invalid(
            f"no version in {text!r}; wanted MODEL@VERSION, MODEL@STAGE or MODEL@ALIAS",
            field="model",
            fix="for instance: flights-late@3 or flights-late@production",
        )
    return model, rest


def checked_alias(alias: str) -> str:
    """Refuse aliases that would read as a version or as a stage."""
    if re.fullmatch(r"[vV]?[0-9]+", alias) or alias.lower() in RESERVED_ALIASES:
        raise Invalid(
            f"{alias!r} cannot be an alias: it reads as a version or a stage", field="alias"
        )
    return alias
