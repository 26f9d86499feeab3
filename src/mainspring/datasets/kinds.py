"""The types of the definition (docs/dataset.md): what a column holds, however it is stored."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from mainspring.core.errors import Invalid

UTC = frozenset(
    {
        "utc", "etc/utc", "uct", "etc/uct", "zulu", "etc/zulu", "z", "gmt", "etc/gmt",
        "gmt0", "etc/gmt0", "gmt+0", "etc/gmt+0", "gmt-0", "etc/gmt-0", "greenwich",
        "etc/greenwich", "universal", "etc/universal", "+00:00", "-00:00", "+0000", "-0000",
    }
)  # fmt: skip
"""Names of the zone that is written `UTC`, in lower case."""
ZONE = re.compile(r"[A-Za-z0-9_+\-/:]+")
WANTED = "numbers, booleans, text, binary, dates, times, durations, decimals, lists and structs"

_FLOATS = {16: "float16", 32: "float32", 64: "float64"}
_tests = pa.types


def type_of(kind: pa.DataType, column: str) -> str:
    """The name of a type in the definition; raises for one that has none."""
    name = _simple(kind) or _nested(kind, column)
    if name is not None:
        return name
    if _tests.is_timestamp(kind):
        return f"timestamp[{_zone(kind.tz, column)}]" if kind.tz else "timestamp"
    raise Invalid(
        f"column {column!r} is of type {kind}; {WANTED} can be digested",
        field=column,
        fix="convert the column, or leave it out",
    )


def _simple(kind: pa.DataType) -> str | None:
    if _tests.is_floating(kind):
        return _FLOATS[kind.bit_width]
    if _tests.is_integer(kind) or _tests.is_boolean(kind) or _tests.is_null(kind):
        return str(kind)
    if is_text(kind):
        return "text"
    if is_binary(kind):
        return "binary"
    if _tests.is_decimal(kind):
        return f"decimal({kind.scale})"
    tests = {"date": _tests.is_date, "time": _tests.is_time, "duration": _tests.is_duration}
    return next((name for name, fits in tests.items() if fits(kind)), None)


def _nested(kind: pa.DataType, column: str) -> str | None:
    if _tests.is_dictionary(kind) or _tests.is_run_end_encoded(kind):
        return type_of(kind.value_type, column)
    if isinstance(kind, pa.BaseExtensionType):
        return type_of(kind.storage_type, column)
    if _tests.is_map(kind):
        return type_of(pa.list_(_entry(kind)), column)
    if is_list(kind):
        return f"list<{type_of(kind.value_type, column)}>"
    if _tests.is_struct(kind):
        fields = (
            f"{len(field.name.encode())}:{field.name}:{type_of(field.type, column)}"
            for field in kind
        )
        return f"struct<{','.join(fields)}>"
    return None


def _zone(zone: str, column: str) -> str:
    if zone.lower() in UTC:
        return "UTC"
    if ZONE.fullmatch(zone):
        return zone
    raise Invalid(f"column {column!r} has {zone!r} for a time zone", field=column)


def is_text(kind: pa.DataType) -> bool:
    """Whether it is text, with whatever offsets."""
    return bool(
        _tests.is_string(kind) or _tests.is_large_string(kind) or _tests.is_string_view(kind)
    )


def is_binary(kind: pa.DataType) -> bool:
    """Whether it is bytes, with whatever offsets, of one length or not."""
    return bool(
        _tests.is_binary(kind)
        or _tests.is_large_binary(kind)
        or _tests.is_binary_view(kind)
        or _tests.is_fixed_size_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether it is a list, with whatever offsets, of one length or not."""
    return bool(
        _tests.is_list(kind)
        or _tests.is_large_list(kind)
        or _tests.is_fixed_size_list(kind)
        or _tests.is_list_view(kind)
        or _tests.is_large_list_view(kind)
    )


def _entry(kind: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])


def plain(array: pa.Array) -> pa.Array:
    """The values without an encoding around them: dictionary, run ends, view, map, and so on."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(array.storage)
    if _tests.is_dictionary(kind):
        # The values first: a dictionary of views cannot be decoded.
        return plain(array.dictionary).take(array.indices)
    if _tests.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array))
    usual = _usual(kind)
    return array if usual is None else array.cast(usual)


def _usual(kind: pa.DataType) -> pa.DataType | None:
    """The way of storing that everybody knows, instead of one that few do."""
    if _tests.is_string_view(kind):
        return pa.large_string()
    if _tests.is_binary_view(kind):
        return pa.large_binary()
    if _tests.is_decimal32(kind) or _tests.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return pa.list_(_entry(kind)) if _tests.is_map(kind) else None
