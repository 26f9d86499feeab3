"""CSV files as one table: the types are found in all of their values (docs/dataset.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mainspring.core.errors import Invalid
from mainspring.datasets.rows import Batches, Rows

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
"""What stands for a value that is not there."""
BOOLEAN = "^(true|True|TRUE|false|False|FALSE)$"
WHOLE = "^-?[0-9]+$"
NUMBER = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^-?(inf|Inf|INF|infinity|Infinity)$"
PIECE = 1 << 24
"""Bytes that are parsed at once."""


@dataclass(slots=True)
class Fits:
    """Which types all values of a column so far are written as."""

    any: bool = False
    boolean: bool = True
    whole: bool = True
    sized: bool = True
    """Whether they fit 64 bits, if they are whole numbers."""
    number: bool = True

    def look(self, values: pa.Array) -> None:
        """Look at more values."""
        values = values.drop_null()
        if not len(values) or not (self.boolean or self.number):
            self.any = self.any or bool(len(values))
            return
        self.any = True
        self.boolean = self.boolean and _all(values, BOOLEAN)
        self.whole = self.whole and _all(values, WHOLE)
        self.sized = self.sized and self.whole and _is_sized(values)
        self.number = self.number and (self.whole or _all(values, NUMBER))

    def kind(self) -> pa.DataType:
        """The type of the column."""
        if not self.any:
            return pa.null()
        if self.boolean:
            return pa.bool_()
        if self.whole:
            return pa.int64() if self.sized else pa.string()
        return pa.float64() if self.number else pa.string()


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _is_sized(values: pa.Array) -> bool:
    try:
        values.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def from_csv(paths: Sequence[Path], kind: str = "csv") -> Rows:
    """The rows of the files, one after the other."""
    names = _names(paths[0], kind)
    fits = [Fits() for _ in names]
    for batch in _texts(paths, names, kind):
        for one, values in zip(fits, batch.columns, strict=True):
            one.look(values)
    found = [pa.field(name, one.kind()) for name, one in zip(names, fits, strict=True)]
    schema = pa.schema(found)

    def batches() -> Batches:
        for batch in _texts(paths, names, kind):
            arrays = [
                pa.nulls(len(values)) if pa.types.is_null(field.type) else values.cast(field.type)
                for values, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Rows(schema, batches, kind)


def _parsing(kind: str) -> csv.ParseOptions:
    return csv.ParseOptions(
        delimiter="\t" if kind == "tsv" else ",", newlines_in_values=True, ignore_empty_lines=True
    )


def _names(path: Path, kind: str) -> list[str]:
    with _opened(path, kind, csv.ConvertOptions()) as reader:
        return list(reader.schema.names)


def _opened(path: Path, kind: str, converting: csv.ConvertOptions) -> csv.CSVStreamingReader:
    source = pa.input_stream(str(path), compression="detect")
    reading = csv.ReadOptions(block_size=PIECE)
    try:
        return csv.open_csv(source, reading, _parsing(kind), converting)
    except (pa.ArrowException, UnicodeError) as error:
        raise unreadable(path, error) from None


def _texts(paths: Sequence[Path], names: Sequence[str], kind: str) -> Iterator[pa.RecordBatch]:
    """All values as they are written."""
    converting = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=list(MISSING),
        strings_can_be_null=True,
    )
    for path in paths:
        with _opened(path, kind, converting) as reader:
            if list(reader.schema.names) != list(names):
                raise Invalid(
                    f"{path} has the columns {', '.join(reader.schema.names)}, and {paths[0]} has "
                    f"{', '.join(names)}",
                    field="path",
                )
            try:
                yield from reader
            except (pa.ArrowException, UnicodeError) as error:
                raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> Invalid:
    """The error for a file that is not what its name says."""
    return Invalid(
        f"{path} cannot be read: {' '.join(str(error).split())}",
        field="path",
        fix="mend the file, or take its bytes as they are: as_bytes=True",
    )
