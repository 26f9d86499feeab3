"""The prediction log for analysis: windows of time become tables.

A file's name begins with its first and last event time, so a window opens only the files it needs.
A missing number stays NaN, as the model saw it; a missing text is null.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainspring.core.clock import to_micros
from mainspring.serving.frame_table import BASE, joined, table_of
from mainspring.serving.journal import OPEN, SEALED, read_frames

KEYS = ("request_id", "event_time", "recorded_at")
Window = tuple[int | None, int | None]


def read_predictions(
    log_folder: Path,
    start: dt.datetime | None,
    end: dt.datetime | None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """The rows with `start <= event_time < end`, each request once, by time and id.

    A request that was recorded twice within the window counts as first recorded. A column that no
    row has comes back as nulls.
    """
    window = (
        to_micros(start) if start is not None else None,
        to_micros(end) if end is not None else None,
    )
    wanted = None if columns is None else list(dict.fromkeys([*KEYS, *columns]))
    tables = [table for table in _tables(log_folder, window, wanted) if table.num_rows]
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


def _tables(log_folder: Path, window: Window, columns: list[str] | None) -> Iterator[pa.Table]:
    # Files only ever move on from open to sealed to Parquet: looking in this order misses no row,
    # and a row seen twice is dropped by its id.
    for suffix in (OPEN, SEALED):
        for path in sorted(log_folder.glob(f"*{suffix}")):
            with contextlib.suppress(FileNotFoundError):
                yield _clipped(_chosen(table_of(read_frames(path)), columns), window)
    start, end = window
    for path in sorted(log_folder.glob("*.parquet")):
        first, last = (int(part) for part in path.name.split("-", 2)[:2])
        if (end is None or first < end) and (start is None or last >= start):
            file = pq.ParquetFile(path, memory_map=True)
            names = file.schema_arrow.names
            chosen = None if columns is None else [name for name in columns if name in names]
            table = file.read(columns=chosen, use_threads=False)
            inside = (start is None or first >= start) and (end is None or last < end)
            yield table if inside else _clipped(table, window)


def _chosen(table: pa.Table, columns: list[str] | None) -> pa.Table:
    if columns is None:
        return table
    return table.select([name for name in columns if name in table.column_names])


def _clipped(table: pa.Table, window: Window) -> pa.Table:
    times = table["event_time"].cast(pa.int64())
    for bound, compare in zip(window, (pc.greater_equal, pc.less), strict=True):
        if bound is not None:
            keep = compare(times, bound)
            table, times = table.filter(keep), times.filter(keep)
    return table


def _first_recorded(table: pa.Table) -> pa.Table:
    if pc.count_distinct(table["request_id"]).as_py() == table.num_rows:
        return table
    table = table.sort_by([("request_id", "ascending"), ("recorded_at", "ascending")])
    ids = table["request_id"].combine_chunks()
    fresh = pc.not_equal(ids[1:], ids[:-1])
    return table.filter(pa.concat_arrays([pa.array([True]), fresh]))
