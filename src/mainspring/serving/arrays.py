"""Arrow arrays of what frames hold, made of their buffers.

`pa.array` does the same, value by value for texts. It also imports pandas, where there is one, to ask whether
it was handed something of it, and that takes longer than most compactions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from mainspring.engines.tensor import Array

MOST_ROWS = 2**20
"""Rows of one array, whose bytes are counted in 31 bits: a request has an id of at most 200 characters."""
REMEMBERED_ROWS = 1024
TENS = 10 ** np.arange(1, 10)

Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


def numbers(raw: bytes | Array, kind: pa.DataType) -> pa.Array:
    """Little-endian numbers of that type, none missing; those of BOOL are bytes, 0 or 1."""
    if kind == pa.bool_():
        flags = np.frombuffer(raw, dtype=np.uint8)
        packed = np.packbits(flags, bitorder="little")
        return pa.Array.from_buffers(kind, len(flags), [None, pa.py_buffer(packed)])
    buffer = pa.py_buffer(raw)
    return pa.Array.from_buffers(kind, buffer.size // (kind.bit_width // 8), [None, buffer])


def moments(array: pa.TimestampArray) -> Counts:
    """The numbers of an array in which none is missing."""
    numbers = np.frombuffer(array.buffers()[1], dtype=np.int64)
    return numbers[array.offset : array.offset + len(array)]


def texts(values: Sequence[str | bytes | None]) -> pa.StringArray:
    """Texts, some of them missing perhaps; what is no text is written as one."""
    with contextlib.suppress(TypeError, UnicodeError):
        # All are there, and can be written as they are, nearly always.
        return _joined(values)  # type: ignore[arg-type]
    found = _joined([_text(value) for value in values])
    there = np.packbits([value is not None for value in values], bitorder="little")
    _, offsets, data = found.buffers()
    return pa.StringArray.from_buffers(len(found), offsets, data, pa.py_buffer(there))


def repeated(text: str, rows: int) -> pa.StringArray:
    """The same text for each row."""
    return pa.repeat(texts([text])[0], rows)


def _joined(values: Sequence[str]) -> pa.StringArray:
    text = "".join(values)
    return _array(text, _sizes(text, values))


def _text(value: str | bytes | None) -> str:
    """Bytes of a model that declares no text may be anything."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else value.encode("utf-8", "backslashreplace").decode()


def _sizes(text: str, parts: Sequence[str]) -> Counts:
    """The bytes of each part of a text."""
    sizes = map(len, parts if text.isascii() else map(str.encode, parts))
    return np.fromiter(sizes, np.int64, len(parts))


def numbered(ids: Sequence[str], counts: Counts) -> Iterator[pa.StringArray]:
    """The ids of the rows of requests, by those of the requests and how many rows they have.

    As `ids_of_rows` has it: a slash and the place of the row, where a request has several.
    """
    ends = np.cumsum(counts)
    start = 0
    while start < len(ids):
        before = ends[start] - counts[start]
        stop = int(np.searchsorted(ends, before + MOST_ROWS, side="right"))
        if stop == start:
            yield from _of_one(ids[start], int(counts[start]))
            stop += 1
        else:
            yield _of_several(ids[start:stop], counts[start:stop])
        start = stop


def _of_several(ids: Sequence[str], counts: Counts) -> pa.StringArray:
    # Joining writes the id between the numbers: one call a request, and none a row.
    text = "".join(map(str.join, ids, map(_numbers, counts.tolist())))
    of_id = _sizes(text, ids)
    places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    digits = np.where(np.repeat(counts > 1, counts), _digits(places), 0)
    return _array(text, np.repeat(of_id, counts) + digits)


def _of_one(id_: str, count: int) -> Iterator[pa.StringArray]:
    """Of a request with more rows than an array has."""
    for first in range(0, count, MOST_ROWS):
        places = np.arange(first, min(first + MOST_ROWS, count))
        text = id_.join(_between(places.tolist()))
        yield _array(text, len(id_.encode()) + _digits(places))


def _digits(places: Counts) -> Counts:
    """The characters of a slash and each number."""
    return 2 + np.searchsorted(TENS, places, side="right")


def _array(text: str, lengths: Counts) -> pa.StringArray:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    data = text.encode()
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data))


def _numbers(count: int) -> list[str]:
    """What stands before, between and after the ids of a request's rows."""
    if count <= REMEMBERED_ROWS:
        return _remembered(count)
    return _between(range(count))


@lru_cache(256)
def _remembered(count: int) -> list[str]:
    return _between(range(count)) if count > 1 else [""] * (count + 1)


def _between(places: Iterable[int]) -> list[str]:
    """What stands before, between and after the ids of rows that are numbered."""
    return ["", *(f"/{place}" for place in places)]
