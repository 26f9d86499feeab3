"""The prediction log for analysis: journals become Parquet, windows of time become tables.

A file's name begins with its first and last event time, so a window opens only the files it needs.
A missing number stays NaN, as the model saw it; a missing text is null.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainspring.core.clock import to_micros
from mainspring.engines.tensor import DTYPES
from mainspring.serving.journal import OPEN, SEALED, Frame, Packed, read_frames, valid_length

MOMENT = pa.timestamp("us", tz="UTC")
BASE = pa.schema(
    [
        ("request_id", pa.string()),
        ("event_time", MOMENT),
        ("recorded_at", MOMENT),
        ("model", pa.string()),
        ("version", pa.string()),
    ]
)
KEYS = ("request_id", "event_time", "recorded_at")
TYPES = {
    "BOOL": pa.bool_(),
    "INT64": pa.int64(),
    "FP32": pa.float32(),
    "FP64": pa.float64(),
    "BYTES": pa.string(),
}
Window = tuple[int | None, int | None]


def seal_journals(log_folder: Path) -> list[Path]:
    """Turn every sealed journal into a Parquet file; answer the files made.

    Killed at any point, the next call carries on: a journal goes only once its Parquet file is
    on the disk under its final name.
    """
    if not log_folder.is_dir():
        return []
    with _only_one(log_folder):
        for leftover in log_folder.glob("*.tmp"):
            leftover.unlink()
        done = {_stem(path) for path in log_folder.glob("*.parquet")}
        made = []
        for journal in sorted(log_folder.glob(f"*{SEALED}")):
            if journal.stem not in done and (path := _seal(journal)) is not None:
                made.append(path)
            _retire(journal)
        return made


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
    table = _first_recorded(_joined([BASE.empty_table(), *tables]))
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
                yield _clipped(_chosen(_table(read_frames(path)), columns), window)
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


def _seal(journal: Path) -> Path | None:
    """Write the Parquet file of one journal; a journal without rows needs none."""
    table = _table(read_frames(journal))
    if not table.num_rows:
        return None
    span = pc.min_max(table["event_time"].cast(pa.int64())).as_py()
    path = journal.with_name(f"{span['min']}-{span['max']}-{journal.stem}.parquet")
    temporary = journal.with_suffix(".tmp")
    with temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync_folder(path.parent)
    return path


def _retire(journal: Path) -> None:
    """Remove a journal that is in Parquet; one with a damaged middle is kept for people."""
    if valid_length(journal) < journal.stat().st_size:
        journal.rename(journal.with_suffix(".damaged"))
    else:
        journal.unlink()


def _stem(path: Path) -> str:
    return path.stem.split("-", 2)[2]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _only_one(log_folder: Path) -> Iterator[None]:
    """Let one process at a time seal; the kernel lets go of the lock of a dead one."""
    with (log_folder / "seal.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _table(frames: Iterable[Frame]) -> pa.Table:
    """The frames as rows; runs of one version with the same columns are turned at once."""
    runs = groupby(frames, key=_shape)
    return _joined([BASE.empty_table(), *(_run(list(run)) for _, run in runs)])


def _shape(frame: Frame) -> tuple[object, ...]:
    return (
        frame.model,
        frame.version,
        tuple((name, packed[0]) for name, packed in frame.inputs.items()),
        tuple((name, packed[0]) for name, packed in frame.outputs.items()),
    )


def _run(frames: list[Frame]) -> pa.Table:
    rows = [frame.rows for frame in frames]
    recorded = np.repeat(np.array([frame.recorded_at for frame in frames], dtype=np.int64), rows)
    columns: dict[str, pa.Array] = {
        "request_id": pa.array(
            list(chain.from_iterable(frame.request_ids for frame in frames)), pa.string()
        ),
        "event_time": pa.array(
            list(chain.from_iterable(frame.event_times for frame in frames)), MOMENT
        ),
        "recorded_at": pa.array(recorded, MOMENT),
        "model": pa.repeat(frames[0].model, sum(rows)),
        "version": pa.repeat(frames[0].version, sum(rows)),
    }
    for name in frames[0].inputs:
        columns[f"input.{name}"] = _column([frame.inputs[name] for frame in frames])
    for name in frames[0].outputs:
        columns[f"output.{name}"] = _column([frame.outputs[name] for frame in frames])
    return pa.table(columns)


def _column(parts: list[Packed]) -> pa.Array:
    datatype = parts[0][0]
    if datatype == "BYTES":
        return pa.array(list(chain.from_iterable(data for _, data in parts)), pa.string())
    raw = b"".join(data for _, data in parts if isinstance(data, bytes))
    return pa.array(np.frombuffer(raw, dtype=DTYPES[datatype]), TYPES[datatype])


def _joined(tables: list[pa.Table]) -> pa.Table:
    """One table; a column that changed its type between versions takes the wider one."""
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            known = types.get(field.name, field.type)
            types[field.name] = known if known == field.type else _wider(known, field.type)
    return pa.concat_tables(
        [
            table.cast(pa.schema([(name, types[name]) for name in table.column_names]), safe=False)
            for table in tables
        ],
        promote_options="default",
    )


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    return pa.string() if pa.string() in (one, other) else pa.float64()
