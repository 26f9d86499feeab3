"""One column of a request: from JSON, from plain values or from bytes to an array, and back."""

from __future__ import annotations

import re
import struct
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np

from mainspring.core.errors import Invalid, TooLarge
from mainspring.core.signature import Column, Datatype
from mainspring.engines.tensor import DTYPES, Array, null_refused

MAX_ROWS = 100_000
JSON_TYPES: dict[str, Any] = {
    "BOOL": bool,
    "INT64": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "FP32": float,
    "FP64": float,
    "BYTES": str,
}
NESTED = re.compile(rb"\[\s*\[")
ROW = re.compile(r" - at `\$\[(\d+)\].*`$")
FEW = 8
LARGEST = float(np.finfo(np.float32).max)
LENGTH = struct.Struct("<I")


class ColumnReader:
    """Reads the values of one column, in every form that they come in."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._dtype = DTYPES[column.datatype]
        kind = JSON_TYPES[column.datatype]
        value = kind | None if column.nullable else kind
        self._list: Any = GenericAlias(list, (value,))
        self._flat: Any = msgspec.json.Decoder(self._list)
        self._nested: Any = msgspec.json.Decoder(
            GenericAlias(list, (GenericAlias(tuple, (value,)),))
        )

    def check(self, datatype: str, shape: list[int]) -> int:
        """Refuse another datatype or shape than a column has; answer the number of rows."""
        name = self.column.name
        if datatype != self.column.datatype:
            raise Invalid(
                f"column {name!r} has the datatype {datatype!r}; {self.column.datatype} is wanted",
                field=name,
            )
        if len(shape) not in (1, 2) or shape[0] < 1 or shape[1:] not in ([], [1]):
            raise Invalid(
                f"column {name!r} has the shape {shape}; [rows] or [rows, 1] is wanted", field=name
            )
        if shape[0] > MAX_ROWS:
            raise TooLarge(
                f"column {name!r} has {shape[0]} rows; at most {MAX_ROWS} fit", field=name
            )
        return shape[0]

    def from_json(self, raw: msgspec.Raw, shape: list[int]) -> Array:
        """The `data` of a tensor, flat or nested as its shape says."""
        try:
            if len(shape) == 2 and NESTED.match(raw) is not None:
                values = [value for (value,) in self._nested.decode(raw)]
            else:
                values = self._flat.decode(raw)
        except msgspec.ValidationError as error:
            raise self._refusal(str(error)) from None
        if len(values) != shape[0]:
            raise Invalid(
                f"column {self.column.name!r} has {len(values)} values, "
                f"its shape {shape} says {shape[0]}",
                field=self.column.name,
            )
        return self._array(values)

    def from_values(self, values: list[Any]) -> Array:
        """Values that were decoded already, None where one is missing."""
        try:
            return self._array(msgspec.convert(values, self._list))
        except msgspec.ValidationError as error:
            raise self._refusal(str(error)) from None

    def from_bytes(self, raw: bytes, rows: int) -> Array:
        """Little-endian numbers, or texts that each follow their length in 4 bytes."""
        name = self.column.name
        if self.column.datatype == "BYTES":
            return self._texts(raw, rows)
        wanted = rows * self._dtype.itemsize
        if len(raw) != wanted:
            raise Invalid(
                f"column {name!r} has {len(raw)} bytes; {rows} rows of "
                f"{self.column.datatype} have {wanted}",
                field=name,
            )
        if self.column.datatype == "BOOL" and raw.translate(None, b"\x00\x01"):
            raise Invalid(f"column {name!r} is BOOL; its bytes must be 0 or 1", field=name)
        # A copy: what the engine gets is aligned, and may be written to.
        return np.frombuffer(raw, dtype=self._dtype).copy()

    def rows_in(self, raw: bytes) -> int:
        """How many rows a body holds that is nothing but this column."""
        size = self._dtype.itemsize
        rows = len(raw) // size
        if not rows or len(raw) % size:
            raise Invalid(
                f"the body has {len(raw)} bytes; each row of {self.column.name!r} takes {size}",
                field=self.column.name,
            )
        return self.check(self.column.datatype, [rows])

    def _texts(self, raw: bytes, rows: int) -> Array:
        name, start = self.column.name, 0
        texts: list[str] = []
        try:
            while start < len(raw):
                end = start + LENGTH.size + LENGTH.unpack_from(raw, start)[0]
                if end > len(raw):
                    raise Invalid(f"column {name!r}, row {len(texts)}: cut short", field=name)
                texts.append(str(raw[start + LENGTH.size : end], "utf-8"))
                start = end
        except struct.error:
            raise Invalid(f"column {name!r}, row {len(texts)}: cut short", field=name) from None
        except UnicodeDecodeError as error:
            raise Invalid(
                f"column {name!r}, row {len(texts)}: no UTF-8 text ({error.reason})", field=name
            ) from None
        if len(texts) != rows:
            raise Invalid(
                f"column {name!r} has {len(texts)} values, its shape says {rows}", field=name
            )
        return np.array(texts, dtype=object)

    def _refusal(self, text: str) -> Invalid:
        name, row = self.column.name, ROW.search(text)
        if row is None:
            return Invalid(f"column {name!r}: {text.partition(' - at ')[0]}", field=name)
        if "got `null`" in text:
            return null_refused(self.column, int(row[1]))
        return Invalid(f"column {name!r}, row {row[1]}: {text[: row.start()]}", field=name)

    def _array(self, values: list[Any]) -> Array:
        if self.column.datatype != "FP32":
            return np.array(values, dtype=self._dtype)
        if len(values) <= FEW and all(v is None or -LARGEST <= v <= LARGEST for v in values):
            # For a few rows, preparing numpy for overflow costs more than looking.
            return np.array(values, dtype=self._dtype)
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=self._dtype)
        if np.count_nonzero(np.isinf(array)):
            row = int(np.isinf(array).argmax())
            raise Invalid(
                f"column {self.column.name!r}, row {row}: {values[row]!r} does not fit FP32",
                field=self.column.name,
            )
        return array


def to_bytes(datatype: Datatype, values: Array) -> bytes:
    """The values as `from_bytes` reads them."""
    if datatype != "BYTES":
        return values.astype(DTYPES[datatype], copy=False).tobytes()
    parts: list[bytes] = []
    for value in values.tolist():
        text = b"" if value is None else str(value).encode()
        parts += (LENGTH.pack(len(text)), text)
    return b"".join(parts)
