"""Files of labels: CSV, JSON lines and Parquet, read row by row; an error names the row."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.operation import explained, unknown_field
from mainspring.monitoring.label_contract import Label

COLUMNS = Label.__struct_fields__
MOMENTS = ("about", "event_time")
AT_ONCE = 10_000
LONGEST_LINE = 100_000
Row = tuple[int, Mapping[str, Any]]


def labels_in(path: Path, event_time: dt.datetime | None = None) -> Iterator[Label]:
    """The labels of a file; `event_time` is for rows that do not say when they became known."""
    kind = path.suffix.lower()
    if kind not in READERS:
        raise Invalid(
            f"{path} is not read as labels; wanted a file named {', '.join(READERS)}", field="file"
        )
    word, read = READERS[kind]
    try:
        for number, fields in read(path):
            try:
                yield _label(fields, event_time)
            except Invalid as error:
                raise Invalid(
                    f"{word} {number:,} of {path}: {error.message}", field=error.field
                ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise Invalid(f"{path} cannot be read: {reason}", field="file") from None


def _label(fields: Mapping[str, Any], event_time: dt.datetime | None) -> Label:
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    for name in given:
        if name not in COLUMNS:
            raise unknown_field(name, COLUMNS)
    if event_time is not None:
        given.setdefault("event_time", event_time)
    for name in MOMENTS:
        if name in given:
            given[name] = _moment(name, given[name])
    if "value" in given:
        given["value"] = _number(given["value"])
    try:
        return msgspec.convert(given, Label)
    except msgspec.ValidationError as error:
        raise explained(error) from None


def _moment(name: str, value: Any) -> dt.datetime:
    """A moment in ISO 8601; without an offset it is UTC."""
    try:
        found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Invalid(
            f"{name}: {value!r} found, wanted a time, for instance 2013-03-01T12:00:00Z", field=name
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise Invalid(f"value: {value!r} found, wanted a finite number", field="value")
    return found


def _csv(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(_lines(file, path), strict=True)
        names = next(rows, [])
        for name in names:
            if name not in COLUMNS:
                raise Invalid(f"line 1 of {path}: {unknown_field(name, COLUMNS).message}")
        for cells in rows:
            if cells and len(cells) != len(names):
                raise Invalid(
                    f"line {rows.line_num:,} of {path}: found {len(cells)} values, wanted "
                    f"{len(names)}: {', '.join(names)}",
                    field="file",
                )
            if cells:
                yield rows.line_num, dict(zip(names, cells, strict=True))


def _json_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(_lines(file, path), start=1):
            if not line.strip():
                continue
            try:
                yield number, msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError as error:
                raise Invalid(
                    f"line {number:,} of {path}: no JSON object: {error}", field="file"
                ) from None


def _lines(file: Any, path: Path) -> Iterator[str]:
    """The lines, as long as a label can be: no more of another file is held."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise Invalid(
                f"line {number:,} of {path} is longer than {LONGEST_LINE:,} characters",
                field="file",
            )
        yield line


def _parquet(path: Path) -> Iterator[Row]:
    arrow, parquet = require("pyarrow", "loop"), require("pyarrow.parquet", "loop")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for name in file.schema_arrow.names:
                if name not in COLUMNS:
                    raise unknown_field(name, COLUMNS)
            for batch in file.iter_batches(AT_ONCE):
                for fields in _in_micros(batch, arrow).to_pylist():
                    number += 1
                    yield number, fields
    except arrow.ArrowException as error:
        raise Invalid(f"{path} cannot be read: {error}", field="file") from None


def _in_micros(batch: Any, arrow: Any) -> Any:
    """The batch with its moments as Python can say them: nanoseconds are cut off."""
    schema = arrow.schema(
        (field.name, arrow.timestamp("us", field.type.tz))
        if arrow.types.is_timestamp(field.type)
        else (field.name, field.type)
        for field in batch.schema
    )
    return batch.cast(schema, safe=False)


READERS: dict[str, tuple[str, Callable[[Path], Iterable[Row]]]] = {
    ".csv": ("line", _csv),
    ".jsonl": ("line", _json_lines),
    ".ndjson": ("line", _json_lines),
    ".parquet": ("row", _parquet),
}
"""By the end of a file's name: what its rows are called, and what reads them."""
