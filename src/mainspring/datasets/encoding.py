"""Values of a column as the bytes that its digest is made of; see docs/dataset.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.datasets.kinds import is_binary, is_list, is_text, plain

Pieces = Iterator[Any]
"""Buffers, one after the other."""
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
NANOS = 1_000_000_000
_tests = pa.types


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Fixed-width values with nothing in the place of what is missing."""

    values: np.ndarray
    present: np.ndarray | None
    """Which values are there; None if all are."""

    @property
    def there(self) -> np.ndarray:
        """The values that are not missing."""
        return self.values if self.present is None else self.values[self.present]


def presence(array: pa.Array) -> np.ndarray | None:
    """Which values are not null; None if all are."""
    if not array.null_count:
        return None
    found: np.ndarray = array.is_valid().to_numpy(zero_copy_only=False)
    return found


def bitmap(present: np.ndarray | None, rows: int) -> bytes:
    """One bit a row, the first in the lowest place; what is left over of the last byte is 0."""
    if present is not None:
        return np.packbits(present, bitorder="little").tobytes()
    whole, rest = divmod(rows, 8)
    return b"\xff" * whole + (bytes([(1 << rest) - 1]) if rest else b"")


def stored(array: pa.Array, kind: type[np.generic] | np.dtype[Any]) -> np.ndarray:
    """The values of a fixed-width array where they lie, whatever stands where one is null."""
    data, width = array.buffers()[1], np.dtype(kind)
    if data is None or not len(array):
        return np.zeros(len(array), width)
    return np.frombuffer(data, width, len(array), array.offset * width.itemsize)


def numbers(array: pa.Array) -> Cleaned:
    """The numbers: NaN is missing as null is, and there is one zero."""
    kind = np.dtype(array.type.to_pandas_dtype())
    values, present = stored(array, kind), presence(array)
    if kind.kind == "f":
        absent = np.isnan(values)
        if absent.any():
            present = ~absent if present is None else present & ~absent
        values = values + kind.type(0)  # -0.0 + 0.0 is 0.0
    return Cleaned(values if present is None else np.where(present, values, kind.type(0)), present)


def _little(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def pieces(array: pa.Array) -> Pieces:
    """The bytes of the rows of one column, in the order of the definition."""
    array = plain(array)
    for fits, write in _WRITERS:
        if fits(array.type):
            yield from write(array)
            return
    raise TypeError(f"no type of the definition: {array.type}")


def number_pieces(found: Cleaned) -> Pieces:
    """The bytes of numbers that are cleaned already."""
    yield bitmap(found.present, len(found.values))
    yield _little(found.values)


def _numbers(array: pa.Array) -> Pieces:
    return number_pieces(numbers(array))


def _nothing(array: pa.Array) -> Pieces:
    yield bytes((len(array) + 7) // 8)


def _booleans(array: pa.Array) -> Pieces:
    yield bitmap(presence(array), len(array))
    values = pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)
    yield np.packbits(values, bitorder="little")


def integers(array: pa.Array) -> Cleaned:
    """The whole numbers that times are stored as, 0 where one is missing."""
    kind = np.int32 if array.type.bit_width == 32 else np.int64
    values, present = stored(array, kind).astype(np.int64, copy=False), presence(array)
    return Cleaned(values if present is None else np.where(present, values, 0), present)


def _dates(array: pa.Array) -> Pieces:
    found = integers(array)
    days = found.values // 86_400_000 if _tests.is_date64(array.type) else found.values
    yield bitmap(found.present, len(array))
    yield _little(days.astype(np.int32))


def _moments(array: pa.Array) -> Pieces:
    """Timestamps, durations, times of day: whole seconds, then the nanoseconds above them."""
    found, per_second = integers(array), PER_SECOND[array.type.unit]
    seconds = found.values // per_second
    yield bitmap(found.present, len(array))
    yield _little(seconds)
    yield _little(((found.values - seconds * per_second) * (NANOS // per_second)).astype(np.uint32))


def _decimals(array: pa.Array) -> Pieces:
    wide = array.cast(pa.decimal256(76, array.type.scale))
    present = presence(wide)
    values = stored(wide, np.dtype("V32"))
    if present is not None:
        values = values.copy()
        values[~present] = np.void(bytes(32))
    yield bitmap(present, len(array))
    yield values


def lengths_and_bytes(array: pa.Array) -> tuple[np.ndarray, Any]:
    """How many bytes each text or binary value has, and all of them behind each other."""
    if _tests.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    if array.null_count:
        array = pc.fill_null(array, "" if is_text(array.type) else b"")
    large = _tests.is_large_string(array.type) or _tests.is_large_binary(array.type)
    kind = np.dtype(np.int64 if large else np.int32)
    _, places, data = array.buffers()
    if not len(array) or places is None:
        return np.zeros(0, np.int64), b""
    ends = np.frombuffer(places, kind, len(array) + 1, array.offset * kind.itemsize)
    lengths = np.diff(ends).astype(np.int64, copy=False)
    start, stop = int(ends[0]), int(ends[-1])
    return lengths, (data.slice(start, stop - start) if stop > start else b"")


def _words(array: pa.Array) -> Pieces:
    yield bitmap(presence(array), len(array))
    lengths, data = lengths_and_bytes(array)
    yield _little(lengths)
    yield data


def list_lengths(array: pa.Array) -> np.ndarray:
    """How many values each list has; 0 where it is missing."""
    lengths: np.ndarray = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    return lengths.astype(np.int64, copy=False)


def _lists(array: pa.Array) -> Pieces:
    yield bitmap(presence(array), len(array))
    yield _little(list_lengths(array))
    yield from pieces(array.flatten())


def _structs(array: pa.Array) -> Pieces:
    yield bitmap(presence(array), len(array))
    for child in array.flatten():
        yield from pieces(child)


_WRITERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Pieces]], ...] = (
    (lambda kind: _tests.is_integer(kind) or _tests.is_floating(kind), _numbers),
    (lambda kind: is_text(kind) or is_binary(kind), _words),
    (_tests.is_boolean, _booleans),
    (_tests.is_timestamp, _moments),
    (_tests.is_date, _dates),
    (lambda kind: _tests.is_time(kind) or _tests.is_duration(kind), _moments),
    (_tests.is_decimal, _decimals),
    (is_list, _lists),
    (_tests.is_struct, _structs),
    (_tests.is_null, _nothing),
)
"""How values of a type become bytes."""
