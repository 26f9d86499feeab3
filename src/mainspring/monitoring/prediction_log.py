"""The prediction log for analysis: windows of time become tables.

A file's name begins with its first and last event time, so a window opens only the files it needs.
A missing number stays NaN, as the model saw it; a missing text is null.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainspring.core.clock import to_micros
from mainspring.core.errors import Unavailable
from mainspring.serving.frame_table import BASE, joined, tables_of
from mainspring.serving.journal import read_frames
from mainspring.serving.log_files import log_files

KEYS = ("request_id", "event_time", "recorded_at", "model")
ATTEMPTS = 100
Window = tuple[int | None, int | None]


def read_predictions(
    log_folder: Path,
    start: dt.datetime | None,
    end: dt.datetime | None,
    columns: Sequence[str] | None = None,
    *,
    model: str | None = None,
) -> pa.Table:
    """The rows with `start <= event_time < end`, each request once, by time and id.

    A request that was recorded twice within the window counts as first recorded. A column that no
    row has comes back as nulls. With `model` only its rows are read: another model's column of the
    same name may have another type.
    """
    window = (
        to_micros(start) if start is not None else None,
        to_micros(end) if end is not None else None,
    )
    wanted = None if columns is None else list(dict.fromkeys([*KEYS, *columns]))
    tables = [_of_model(table, model) for table in _tables(log_folder, window, wanted)]
    tables = [table for table in tables if table.num_rows]
    table = _first_recorded(joined([BASE.empty_table(), *tables]))
    table = table.sort_by([("event_time", "ascending"), ("request_id", "ascending")])
    if columns is None:
        return table
    for name in columns:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows))
    return table.select(list(columns))


def count_predictions(log_folder: Path, start: dt.datetime | None, end: dt.datetime | None) -> int:
    """How many distinct requests fall into the window."""
    count: int = read_predictions(log_folder, start, end, ["request_id"]).num_rows
    return count


def _tables(log_folder: Path, window: Window, columns: list[str] | None) -> list[pa.Table]:
    """The rows of the window, file by file; begun again if a file was replaced meanwhile."""
    for _ in range(ATTEMPTS):
        files = log_files(log_folder)
        try:
            journals = [
                _clipped(_chosen(table, columns), window)
                for path in (*files.open, *files.sealed)
                for table in tables_of(read_frames(path))
            ]
            return journals + [
                _clipped(table, window)
                for part in files.parts
                if _overlaps(part.first, part.last, window)
                for table in _read(part.path, window, columns)
            ]
        except FileNotFoundError:
            continue
    raise Unavailable(
        f"the files of {log_folder} are replaced faster than they can be read",
        fix="read a shorter window",
    )


def _read(path: Path, window: Window, columns: list[str] | None) -> list[pa.Table]:
    """The row groups that may hold rows of the window."""
    with pq.ParquetFile(path, memory_map=True) as file:
        names = file.schema_arrow.names
        wanted = None if columns is None else [name for name in columns if name in names]
        groups = [
            number
            for number in range(file.num_row_groups)
            if _overlaps(*_span(file, number), window)
        ]
        return [file.read_row_groups(groups, columns=wanted, use_threads=False)] if groups else []


def _span(file: pq.ParquetFile, group: int) -> tuple[int, int]:
    """The first and last event time of a row group, microseconds UTC."""
    place = file.schema_arrow.names.index("event_time")
    found = file.metadata.row_group(group)
    for number in range(place, found.num_columns):
        column = found.column(number)
        if column.path_in_schema == "event_time":
            return to_micros(column.statistics.min), to_micros(column.statistics.max)
    raise AssertionError("a file of the log has no event times")


def _overlaps(first: int, last: int, window: Window) -> bool:
    start, end = window
    return (end is None or first < end) and (start is None or last >= start)


def _chosen(table: pa.Table, columns: list[str] | None) -> pa.Table:
    if columns is None:
        return table
    return table.select([name for name in columns if name in table.column_names])


def _of_model(table: pa.Table, model: str | None) -> pa.Table:
    return table if model is None else table.filter(pc.equal(table["model"], model))


def _clipped(table: pa.Table, window: Window) -> pa.Table:
    times = table["event_time"].cast(pa.int64())
    for bound, compare in zip(window, (pc.greater_equal, pc.less), strict=True):
        if bound is not None:
            keep = compare(times, bound)
            table, times = table.filter(keep), times.filter(keep)
    return table


def _first_recorded(table: pa.Table) -> pa.Table:
    """Each request once; the same id sent to another model is another request."""
    keys = ["request_id"]
    if pc.count_distinct(table["model"]).as_py() > 1:
        keys.append("model")
    elif pc.count_distinct(table["request_id"]).as_py() == table.num_rows:
        return table
    table = table.sort_by([(name, "ascending") for name in (*keys, "recorded_at")])
    fresh = pa.array(np.zeros(table.num_rows - 1, dtype=np.bool_))
    for name in keys:
        values = table[name].combine_chunks()
        fresh = pc.or_(fresh, pc.not_equal(values[1:], values[:-1]))
    return table.filter(pa.concat_arrays([pa.array([True]), fresh]))
