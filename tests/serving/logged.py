"""Frames and files of a prediction log, made by hand, and what a reader finds in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from mainspring.core.clock import from_micros
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.compaction import seal_journals
from mainspring.serving.frame_table import table_of
from mainspring.serving.journal import Frame, Packed, encode_frame, read_frames
from mainspring.serving.log_files import log_files
from mainspring.serving.merging import merge_parts
from mainspring.serving.replacing import only_one

MARKER = b"8 bytes."
DAY = 24 * 3600 * 1_000_000
LATER = 100 * DAY
TARGET = 2**20


def floats(*values: float) -> Packed:
    return "FP64", (), np.array(values, dtype=np.float64).tobytes()


def frame(*ids: str, at: int = 0, recorded: int | None = None, model: str = "late") -> Frame:
    """One request a row; `at` and `recorded` are microseconds UTC."""
    return Frame(
        ids=list(ids),
        counts=[1] * len(ids),
        times=[at] * len(ids),
        latencies=[900] * len(ids),
        recorded_at=at if recorded is None else recorded,
        model=model,
        version="1",
        inputs={"x": floats(*range(len(ids)))},
        outputs={"score": floats(*[0.5] * len(ids))},
    )


def journal(folder: Path, name: str, *frames: Frame) -> Path:
    path = folder / name
    path.write_bytes(b"".join(encode_frame(one, MARKER) for one in frames))
    return path


def rows(folder: Path) -> Counter[str]:
    """How often each id is in the files that count, without the reader that drops doubles."""
    files = log_files(folder)
    tables = [table_of(read_frames(path)) for path in (*files.open, *files.sealed)]
    tables += [pq.read_table(part.path, columns=["request_id"]) for part in files.parts]
    return Counter(id_ for table in tables for id_ in table["request_id"].to_pylist())


def rows_or_none(folder: Path) -> Counter[str] | None:
    """The same, or None if a file was replaced before it was read."""
    try:
        return rows(folder)
    except FileNotFoundError:
        return None


def found(folder: Path, start: int | None = None, end: int | None = None) -> list[str]:
    """The ids that a reader finds in a window."""
    first, last = (None if micros is None else from_micros(micros) for micros in (start, end))
    table = read_predictions(folder, first, last, ["request_id"])
    ids: list[str] = table["request_id"].to_pylist()
    return ids


def parts_in(folder: Path) -> list[Path]:
    """The Parquet files that count."""
    return [part.path for part in log_files(folder).parts]


def sealed_one_by_one(folder: Path, count: int, day: int = 0) -> list[str]:
    """So many Parquet files of one day; their ids."""
    ids = [f"{day}-{number:03d}" for number in range(count)]
    for number, id_ in enumerate(ids):
        journal(folder, f"w{day}-{number:06d}.journal", frame(id_, at=day * DAY + number))
        seal_journals(folder)
    return ids


def merge(folder: Path, now_us: int = LATER, target: int = TARGET) -> list[Path]:
    """Merge as a compaction does."""
    with only_one(folder):
        return merge_parts(folder, target, now_us)
