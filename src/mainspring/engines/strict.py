"""Decoding JSON documents with errors that name the document and the field."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from mainspring.core.errors import Invalid

T = TypeVar("T", bound=msgspec.Struct)


def decode(kind: type[T], raw: bytes, what: str) -> T:
    """Read `raw` as `kind`; `what` names the document in errors."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        field = path.rstrip("`").removeprefix("$").lstrip(".") or None
        place = f" at {field!r}" if field else ""
        raise Invalid(f"{what}: {text}{place}", field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{what} is not valid JSON: {error}") from None
