"""One tensor of a request: from JSON, from plain values or from bytes to an array, and back."""

from __future__ import annotations

import math
import re
import struct
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np

from mainspring.core.errors import Invalid, TooLarge
from mainspring.core.signature import Column
from mainspring.engines.bfloat16 import (
    BFLOAT16,
    ITEM_BYTES,
    is_bfloat16,
    rounded,
    shortened,
    widened,
)
from mainspring.engines.tensor import DATATYPES, DTYPES, Array, fits_shape, null_refused
from mainspring.serving.numbers import PIECE, check_containers, flattened, pieces

MAX_ROWS = 100_000
NESTED = re.compile(rb"\s*\[\s*\[")
PLACE = re.compile(r" - at `\$\[(\d+)\].*`$")
DEEPEST = 8
KNOWN_SHAPES = 64
PACKED = 16_384
"""Up to here values are packed as arguments of one call."""
FORMATS = dict(
    zip(
        ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"),
        "?BHIQbhiqefd",
        strict=True,
    )
)
"""numpy's words for datatypes, and struct's."""
MOST_DIMENSIONS = 32
"""As many as numpy has had in every release."""
LENGTH = struct.Struct("<I")


def _json_type(column: Column) -> Any:
    dtype = DTYPES[column.datatype]
    kind: Any = {"b": bool, "f": float, "O": str}.get(dtype.kind)
    if kind is None:
        limits = np.iinfo(dtype)
        # msgspec's own integers end at 64 bits with a sign: the largest unsigned is its "any".
        top = int(limits.max) if limits.max < 2**63 else None
        kind = Annotated[int, msgspec.Meta(ge=int(limits.min), le=top)]
    return kind | None if column.nullable else kind


class ColumnReader:
    """Reads the values of one column, in every form that they come in."""

    def __init__(self, column: Column, *, declared: bool = True) -> None:
        self.column = column
        self._declared = declared
        """Whether its shape is known, and its BYTES are text; otherwise both are the caller's."""
        self._dtype = DTYPES[column.datatype]
        self._item_bytes = ITEM_BYTES if self._dtype is BFLOAT16 else self._dtype.itemsize
        self._value = _json_type(column)
        self._list: Any = GenericAlias(list, (self._value,))
        self._flat: Any = msgspec.json.Decoder(self._list)
        self._nested: dict[int, Any] = {}
        self._packers: dict[int, struct.Struct] = {}
        self._accepted: set[tuple[int, ...]] = set()
        """Shapes that were checked before: most requests have the same few."""
        self._needs_numbers = self._dtype.kind == "f" and declared and not column.nullable

    def check(self, datatype: str, shape: list[int]) -> tuple[int, ...]:
        """Refuse another datatype or shape than the column has; answer the shape of the array."""
        found = tuple(shape)
        column = self.column
        if found in self._accepted and datatype == column.datatype:
            return found
        if datatype != column.datatype:
            raise Invalid(
                f"column {column.name!r} has the datatype {datatype!r}; {column.datatype} is "
                "wanted",
                field=column.name,
            )
        if not self._declared or len(shape) > MOST_DIMENSIONS:
            self._check_open(shape)
            return found
        if not self._fits(found):
            wanted = "[rows] or [rows, 1]" if not column.shape else f"{[-1, *column.shape]}"
            raise Invalid(
                f"column {column.name!r} has the shape {shape}; {wanted} is wanted",
                field=column.name,
            )
        if found[0] > MAX_ROWS:
            raise TooLarge(
                f"column {column.name!r} has {found[0]} rows; at most {MAX_ROWS} fit",
                field=column.name,
            )
        if len(self._accepted) < KNOWN_SHAPES:
            self._accepted.add(found)
        return found

    def _check_open(self, shape: list[int]) -> None:
        name = self.column.name
        if len(shape) > MOST_DIMENSIONS:
            raise Invalid(
                f"column {name!r} has a shape of {len(shape)} dimensions; at most "
                f"{MOST_DIMENSIONS} are understood",
                field=name,
            )
        if any(not 0 <= size <= 2**31 for size in shape) or math.prod(shape) > 2**31:
            raise Invalid(
                f"input {name!r} has the shape {shape}; sizes from 0 on are wanted", field=name
            )

    def _fits(self, shape: tuple[int, ...]) -> bool:
        column = self.column
        if not shape or min(shape) < 1:
            return False
        if not column.shape:
            # [rows, 1] is how many callers write a column.
            return shape[1:] in ((), (1,))
        return len(shape) == 1 + len(column.shape) and fits_shape(column, shape[1:])

    def _shaped(self, array: Array, shape: tuple[int, ...]) -> Array:
        """One dimension for a column, however it was written."""
        if len(shape) == 1 or (self._declared and not self.column.shape):
            return array
        return array.reshape(shape)

    def from_json(self, raw: msgspec.Raw, shape: tuple[int, ...]) -> Array:
        """The `data` of a tensor, flat or nested as its shape says."""
        if len(memoryview(raw)) > PIECE and self._dtype.kind != "O":
            return self._shaped(self._in_pieces(bytes(raw), shape), shape)
        try:
            is_nested = NESTED.match(raw) is not None
            values = self._flattened(raw, shape) if is_nested else self._flat.decode(raw)
        except msgspec.ValidationError as error:
            raise self._refusal(str(error), shape) from None
        if len(values) != math.prod(shape):
            raise Invalid(
                f"column {self.column.name!r} has {len(values)} values, "
                f"its shape {list(shape)} says {math.prod(shape)}",
                field=self.column.name,
            )
        return self._shaped(self._array(values, shape), shape)

    def _in_pieces(self, raw: bytes, shape: tuple[int, ...]) -> Array:
        """Many numbers, without keeping all other requests waiting while they are read."""
        arrays: list[Array] = []
        found = 0
        try:
            for piece in pieces(flattened(self.column.name, raw, shape)):
                values = self._flat.decode(piece)
                arrays.append(self._array(values, (len(values),)))
                found += len(values)
        except msgspec.ValidationError as error:
            reason = str(error).partition(" - at ")[0]
            raise Invalid(
                f"column {self.column.name!r}, after {found} values: {reason}",
                field=self.column.name,
            ) from None
        if found != math.prod(shape):
            raise Invalid(
                f"column {self.column.name!r} has {found} values, "
                f"its shape {list(shape)} says {math.prod(shape)}",
                field=self.column.name,
            )
        joined = np.concatenate(arrays)
        return joined.view(BFLOAT16) if self._dtype is BFLOAT16 else joined

    def from_values(self, values: list[Any]) -> Array:
        """Values of a column, one a row, that were decoded already; None where one is missing."""
        column = self.column
        try:
            if not column.shape:
                return self._array(msgspec.convert(values, self._list), (len(values),))
            rows = msgspec.convert(values, _nested(self._value, 1 + len(column.shape)))
        except msgspec.ValidationError as error:
            raise self._refusal(str(error), (len(values),)) from None
        shape = _shape_of(rows)
        if not fits_shape(column, shape[1:]):
            raise Invalid(
                f"column {column.name!r} has rows of the shape {list(shape[1:])}; "
                f"{list(column.shape)} is wanted",
                field=column.name,
            )
        return self._array(self._level(rows, shape, len(shape)), shape).reshape(shape)

    def from_bytes(self, raw: bytes, shape: tuple[int, ...]) -> Array:
        """Little-endian numbers, or texts that each follow their length in 4 bytes."""
        name, dtype = self.column.name, self._dtype
        if dtype.kind == "O":
            return self._texts(raw, shape)
        wanted = math.prod(shape) * self._item_bytes
        if len(raw) != wanted:
            raise Invalid(
                f"column {name!r} has {len(raw)} bytes; the shape {list(shape)} of "
                f"{self.column.datatype} has {wanted}",
                field=name,
            )
        if dtype.kind == "b" and raw.translate(None, b"\x00\x01"):
            raise Invalid(f"column {name!r} is BOOL; its bytes must be 0 or 1", field=name)
        # A copy: what the engine gets is aligned, and may be written to.
        array = widened(raw) if dtype is BFLOAT16 else np.frombuffer(raw, dtype=dtype).copy()
        if self._needs_numbers and np.count_nonzero(lacking := np.isnan(array)):
            raise null_refused(self.column, int(lacking.argmax()) * shape[0] // array.size)
        return self._shaped(array, shape)

    def shape_in(self, raw: bytes) -> tuple[int, ...]:
        """The shape of a body that is nothing but this column."""
        column = self.column
        size = self._item_bytes * math.prod(column.shape)
        if size <= 0 or not raw or len(raw) % size:
            raise Invalid(
                f"the body has {len(raw)} bytes; each row of {column.name!r} takes {abs(size)}",
                field=column.name,
            )
        return self.check(column.datatype, [len(raw) // size, *column.shape])

    def from_elements(self, values: list[Any], shape: tuple[int, ...]) -> Array:
        """Elements of the right type, in row-major order; bytes for text."""
        if len(values) != math.prod(shape):
            raise Invalid(
                f"column {self.column.name!r} has {len(values)} values, "
                f"its shape {list(shape)} says {math.prod(shape)}",
                field=self.column.name,
            )
        if self._dtype.kind == "O":
            texts = [self._text(value, place) for place, value in enumerate(values)]
            return self._shaped(_objects(texts), shape)
        try:
            array = np.array(values, dtype=self._dtype)
        except OverflowError:
            raise Invalid(
                f"column {self.column.name!r} holds a number that does not fit "
                f"{self.column.datatype}",
                field=self.column.name,
            ) from None
        if self._needs_numbers and np.count_nonzero(lacking := np.isnan(array)):
            raise null_refused(self.column, int(lacking.argmax()) * shape[0] // array.size)
        return self._shaped(array, shape)

    def _flattened(self, raw: msgspec.Raw, shape: tuple[int, ...]) -> list[Any]:
        """Nested lists, each as long as the shape says."""
        depth = len(shape)
        if depth > DEEPEST:
            raise Invalid(f"the data is nested deeper than {DEEPEST} levels")
        check_containers(bytes(raw))
        decoder = self._nested.get(depth)
        if decoder is None:
            decoder = self._nested[depth] = msgspec.json.Decoder(_nested(self._value, depth))
        return self._level(decoder.decode(raw), shape, depth)

    def _level(self, values: list[Any], shape: tuple[int, ...], depth: int) -> list[Any]:
        for axis, size in enumerate(shape[1:depth]):
            flat: list[Any] = []
            for place, inner in enumerate(values):
                if len(inner) != size:
                    row = place // math.prod(shape[1 : 1 + axis])
                    raise Invalid(
                        f"column {self.column.name!r}, row {row}: a list of {len(inner)} values, "
                        f"where its shape {list(shape)} says {size}",
                        field=self.column.name,
                    )
                flat += inner
            values = flat
        return values

    def _texts(self, raw: bytes, shape: tuple[int, ...]) -> Array:
        name, start = self.column.name, 0
        texts: list[str | bytes] = []
        while start < len(raw):
            begin = start + LENGTH.size
            end = begin + LENGTH.unpack_from(raw, start)[0] if begin <= len(raw) else len(raw) + 1
            if end > len(raw):
                raise Invalid(f"column {name!r}, row {len(texts)}: cut short", field=name)
            texts.append(self._text(raw[begin:end], len(texts)))
            start = end
        if len(texts) != math.prod(shape):
            raise Invalid(
                f"column {name!r} has {len(texts)} values, its shape says {math.prod(shape)}",
                field=name,
            )
        return self._shaped(_objects(texts), shape)

    def _text(self, value: bytes, place: int) -> str | bytes:
        if not self._declared:
            return value
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise Invalid(
                f"column {self.column.name!r}, row {place}: no UTF-8 text ({error.reason})",
                field=self.column.name,
            ) from None

    def _refusal(self, text: str, shape: tuple[int, ...]) -> Invalid:
        name, found = self.column.name, PLACE.search(text)
        if found is None:
            return Invalid(f"column {name!r}: {text.partition(' - at ')[0]}", field=name)
        row = int(found[1])
        if len(shape) > 1 and "][" not in found[0]:
            row //= max(1, math.prod(shape[1:]))
        if "got `null`" in text:
            return null_refused(self.column, row)
        return Invalid(f"column {name!r}, row {row}: {text[: found.start()]}", field=name)

    def _array(self, values: list[Any], shape: tuple[int, ...]) -> Array:
        dtype = self._dtype
        if dtype.kind == "O":
            return _objects(values if self._declared else [v.encode() for v in values])
        if len(values) <= PACKED and dtype is not BFLOAT16:
            array = np.empty(len(values), dtype=dtype)
            try:
                # A quarter of what numpy needs to read a list, and it refuses what does not fit.
                self._packer(len(values)).pack_into(array.data, 0, *values)
            except (struct.error, OverflowError):
                pass  # found below, or a missing value
            else:
                return array
        if dtype.kind == "u" and dtype.itemsize == 8:
            self._check_unsigned(values, shape)
        if dtype.kind != "f" or dtype.itemsize == 8:
            return np.array(values, dtype=dtype)
        return self._single(values, shape)

    def _single(self, values: list[Any], shape: tuple[int, ...]) -> Array:
        """Numbers that may be too large for their type, or have more digits."""
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=self._dtype)
        if self._dtype is BFLOAT16:
            array = rounded(array)
        if np.count_nonzero(np.isinf(array)):
            place = int(np.isinf(array).argmax())
            raise self._unfitting(values, place, shape)
        return array

    def _packer(self, count: int) -> struct.Struct:
        packer = self._packers.get(count)
        if packer is None:
            packer = struct.Struct(f"<{count}{FORMATS[self._dtype.str[1:]]}")
            if len(self._packers) < KNOWN_SHAPES:
                self._packers[count] = packer
        return packer

    def _check_unsigned(self, values: list[Any], shape: tuple[int, ...]) -> None:
        for place, value in enumerate(values):
            if value >= 2**64:
                raise self._unfitting(values, place, shape)

    def _unfitting(self, values: list[Any], place: int, shape: tuple[int, ...]) -> Invalid:
        row = place // max(1, math.prod(shape[1:]))
        return Invalid(
            f"column {self.column.name!r}, row {row}: {values[place]!r} does not fit "
            f"{self.column.datatype}",
            field=self.column.name,
        )


def to_bytes(values: Array) -> bytes:
    """The values as `from_bytes` reads them."""
    if is_bfloat16(values):
        return shortened(values)
    if values.dtype.kind not in "OSU":
        if values.dtype in DATATYPES:
            return values.tobytes()
        return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    parts: list[bytes] = []
    for value in values.ravel().tolist():
        text = value if isinstance(value, bytes) else str("" if value is None else value).encode()
        parts += (LENGTH.pack(len(text)), text)
    return b"".join(parts)


def _nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = GenericAlias(list, (value,))
    return value


def _shape_of(rows: list[Any]) -> tuple[int, ...]:
    shape: list[int] = []
    level: Any = rows
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    return tuple(shape)


def _objects(values: list[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
