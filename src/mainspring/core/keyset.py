"""Pages that go on after the last row of the one before, whatever was added or taken meanwhile.

A token holds the values by which the last row was sorted, and digests of what was asked: one that
belongs to another question is refused. It is written for reading back, not for keeping secrets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mainspring.core.errors import Invalid

Values = tuple[Any, ...]
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing that rows are sorted by; NULL only among rows that are the same in all slots before."""

    expression: ColumnElement[Any]
    type: type[Any]
    ascending: bool = True


def order_of(slots: Sequence[Slot]) -> list[ColumnElement[Any]]:
    """The ORDER BY of the slots."""
    return [slot.expression.asc() if slot.ascending else slot.expression.desc() for slot in slots]


def beyond(slots: Sequence[Slot], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a row comes after the one that had these values."""
    ways = []
    for place, slot in enumerate(slots):
        value = values[place]
        if value is None:
            continue
        same = [_same(one, values[at]) for at, one in enumerate(slots[:place])]
        ways.append(and_(*same, _after(slot, value)))
    if not ways:
        return false()
    first, start = slots[0], values[0]
    if start is None:
        return or_(*ways)
    # Said once more for the database's sake: it can begin to read an index there.
    bound = first.expression >= start if first.ascending else first.expression <= start
    return and_(bound, or_(*ways))


def _after(slot: Slot, value: Any) -> ColumnElement[bool]:
    column = slot.expression
    after: ColumnElement[bool] = column > value if slot.ascending else column < value
    return after


def _same(slot: Slot, value: Any) -> ColumnElement[bool]:
    return slot.expression.is_(None) if value is None else slot.expression == value


def write_token(question: Mapping[str, object], values: Sequence[Any]) -> str:
    """The token of the page after the row with these values."""
    marks = [_mark(part) for part in question.values()]
    # JSON knows no infinity, and a float must come back as it was.
    written = [{"f": repr(value)} if isinstance(value, float) else value for value in values]
    return base64.urlsafe_b64encode(msgspec.json.encode([marks, written])).decode()


def read_token(token: str, question: Mapping[str, object], slots: Sequence[Slot]) -> Values:
    """The values in a token; refuses one of another question, and what no server wrote."""
    marks, written = _opened(token)
    for name, part, mark in zip(question, question.values(), marks, strict=True):
        if mark != _mark(part):
            raise Invalid(
                f"{name} in the page token do not match the requested {name[0].lower()}{name[1:]}"
                if name.endswith("s")
                else f"{name} in the page token does not match the requested {name.lower()}",
                field="after",
            )
    if len(written) != len(slots):
        raise _no_token()
    return tuple(_value(value, slot) for value, slot in zip(written, slots, strict=True))


def _opened(token: str) -> tuple[list[Any], list[Any]]:
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Invalid("Invalid page token, could not base64-decode", field="after") from None
    try:
        marks, written = msgspec.json.decode(text, type=tuple[tuple[str, str, str], list[Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _no_token() from None
    return list(marks), written


def _no_token() -> Invalid:
    return Invalid("Invalid page token: no page of this search gave it", field="after")


def _value(written: Any, slot: Slot) -> Any:
    if written is None:
        return None
    if slot.type is float and isinstance(written, dict) and isinstance(written.get("f"), str):
        try:
            return float(written["f"])
        except ValueError:
            raise _no_token() from None
    fits = isinstance(written, slot.type) and not isinstance(written, bool)
    if not fits or (isinstance(written, int) and abs(written) > LARGEST):
        raise _no_token()
    if isinstance(written, str) and "\x00" in written:
        raise _no_token()
    return written


def _mark(part: object) -> str:
    return hashlib.sha256(msgspec.json.encode(part)).hexdigest()[:16]


class still(FunctionElement[Any]):  # noqa: N801
    """A column that SQLite looks up in no index, where another way in is the better one."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


class bytewise(FunctionElement[Any]):  # noqa: N801
    """A text column that is sorted and compared the same on every database: by its bytes."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(still)
@compiles(bytewise, "sqlite")
def _plain(element: FunctionElement[Any], compiler: Any, **given: Any) -> str:
    text: str = compiler.process(element.clauses, **given)
    return text


@compiles(still, "sqlite")
def _still(element: FunctionElement[Any], compiler: Any, **given: Any) -> str:
    return f"+{compiler.process(element.clauses, **given)}"


@compiles(bytewise)
def _bytewise(element: FunctionElement[Any], compiler: Any, **given: Any) -> str:
    return f'{compiler.process(element.clauses, **given)} COLLATE "C"'
