"""docs/dataset.md in plain Python, value by value; nothing of the product is used."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BLOCK = 65_536
NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
NUMBERS = {
    "int8": "<b", "int16": "<h", "int32": "<i", "int64": "<q", "uint8": "<B", "uint16": "<H",
    "uint32": "<I", "uint64": "<Q", "float16": "<e", "float32": "<f", "float64": "<d",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A type: its kind, and what some kinds need beside."""

    name: str
    unit: str = ""
    zone: str = ""
    scale: int = 0
    items: Kind | None = None
    fields: tuple[tuple[str, Kind], ...] = ()

    def written(self) -> str:
        """The type as the definition writes it."""
        if self.name == "timestamp" and self.zone:
            return f"timestamp[{self.zone}]"
        if self.name == "decimal":
            return f"decimal({self.scale})"
        if self.items is not None:
            return f"list<{self.items.written()}>"
        if self.name == "struct":
            fields = [f"{len(name.encode())}:{name}:{of.written()}" for name, of in self.fields]
            return f"struct<{','.join(fields)}>"
        return self.name


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def word(text: str) -> bytes:
    return u64(len(text.encode())) + text.encode()


def bits(flags: Sequence[bool]) -> bytes:
    found = bytearray((len(flags) + 7) // 8)
    for place, flag in enumerate(flags):
        found[place // 8] |= flag << (place % 8)
    return bytes(found)


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def message(kind: Kind, values: Sequence[Any]) -> bytes:
    """The bytes of some values of a column."""
    values = [None if missing(value) else value for value in values]
    return bits([value is not None for value in values]) + _values(kind, values)


def _values(kind: Kind, values: Sequence[Any]) -> bytes:
    if kind.items is not None:
        lengths = b"".join(u64(len(value or [])) for value in values)
        return lengths + message(kind.items, [item for value in values for item in value or []])
    if kind.name == "struct":
        return b"".join(
            message(of, [None if value is None else value[name] for value in values])
            for name, of in kind.fields
        )
    if kind.name == "bool":
        return bits([bool(value) for value in values])
    if kind.name in ("time", "timestamp", "duration"):
        nanos = [(value or 0) * NANOS[kind.unit] for value in values]
        seconds = b"".join(struct.pack("<q", one // 10**9) for one in nanos)
        return seconds + b"".join(struct.pack("<I", one % 10**9) for one in nanos)
    return _words(values) if kind.name in ("text", "binary") else _fixed(kind, values)


def _words(values: Sequence[Any]) -> bytes:
    said = [value.encode() if isinstance(value, str) else value or b"" for value in values]
    return b"".join(u64(len(one)) for one in said) + b"".join(said)


def _fixed(kind: Kind, values: Sequence[Any]) -> bytes:
    if kind.name == "null":
        return b""
    if kind.name == "decimal":
        return b"".join((value or 0).to_bytes(32, "little", signed=True) for value in values)
    form = "<i" if kind.name == "date" else NUMBERS[kind.name]
    # Adding zero makes -0.0 a 0.0.
    return b"".join(struct.pack(form, (value or 0) + 0) for value in values)


Columns = Sequence[tuple[str, Kind, Sequence[Any]]]


def digest(columns: Columns, rows: int) -> str:
    """The digest of a table of these columns."""
    found = b"mainspring-dataset-2\n" + u64(rows) + u64(len(columns))
    for name, kind, values in columns:
        blocks = b"".join(
            hashlib.sha256(message(kind, values[start : start + BLOCK])).digest()
            for start in range(0, rows, BLOCK)
        )
        found += word(name) + word(kind.written()) + hashlib.sha256(blocks).digest()
    return f"sha256:{hashlib.sha256(found).hexdigest()}"


def unordered_digest(columns: Columns, rows: int) -> str:
    """The digest of its rows in any order."""
    found = b"mainspring-dataset-2 unordered\n" + u64(rows) + u64(len(columns))
    found += b"".join(word(name) + word(kind.written()) for name, kind, _ in columns)
    said = [
        hashlib.sha256(b"".join(message(kind, [values[at]]) for _, kind, values in columns))
        for at in range(rows)
    ]
    found += b"".join(sorted(one.digest() for one in said))
    return f"sha256:{hashlib.sha256(found).hexdigest()}"
