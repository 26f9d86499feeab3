"""Journals become Parquet without losing or doubling a row; windows read what they need."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mainspring.core.clock import from_micros
from mainspring.monitoring.prediction_log import (
    count_predictions,
    read_predictions,
)
from mainspring.serving.compaction import seal_journals
from mainspring.serving.journal import Frame, Packed, encode_frame

MINUTE = 60_000_000


def _frame(*ids: str, at: int = 0, recorded: int = 0, **inputs: Packed) -> Frame:
    return Frame(
        ids=list(ids),
        counts=[1] * len(ids),
        times=[at] * len(ids),
        latencies=[900] * len(ids),
        recorded_at=recorded,
        model="late",
        version="1",
        inputs=inputs,
        outputs={"score": ("FP64", (), np.full(len(ids), 0.5).tobytes())},
    )


def _floats(*values: float) -> Packed:
    return "FP64", (), np.array(values, dtype=np.float64).tobytes()


def _journal(folder: Path, name: str, *frames: Frame) -> Path:
    path = folder / name
    path.write_bytes(b"".join(encode_frame(frame) for frame in frames))
    return path


def _ids(folder: Path, start: int | None = None, end: int | None = None) -> list[str]:
    table = read_predictions(folder, _moment(start), _moment(end), ["request_id"])
    ids: list[str] = table["request_id"].to_pylist()
    return ids


def _moment(micros: int | None) -> dt.datetime | None:
    return None if micros is None else from_micros(micros)


def test_a_missing_folder_is_an_empty_table(tmp_path: Path) -> None:
    table = read_predictions(tmp_path / "none", None, None)

    assert (table.num_rows, table.column_names[0]) == (0, "request_id")
    assert seal_journals(tmp_path / "none") == []


def test_every_column_comes_back_as_it_was(tmp_path: Path) -> None:
    inputs: dict[str, Packed] = {
        "real": _floats(1.5, float("nan")),
        "single": ("FP32", (), np.array([0.1, 2], dtype=np.float32).tobytes()),
        "whole": ("INT64", (), np.array([2**60 + 1, -1]).tobytes()),
        "flag": ("BOOL", (), np.array([True, False]).tobytes()),
        "text": ("BYTES", (), ["é", None]),
    }
    _journal(tmp_path, "w-000001.journal", _frame("a", "b", at=5, recorded=7, **inputs))
    unsealed = read_predictions(tmp_path, None, None)

    (path,) = seal_journals(tmp_path)

    assert path.name == "5-5-w-000001.parquet"
    table = read_predictions(tmp_path, None, None)
    assert table.schema == unsealed.schema
    rows: list[dict[str, Any]] = table.to_pylist()
    assert np.isnan(rows[1].pop("input.real"))
    assert rows[0].pop("input.real") == 1.5
    base: dict[str, Any] = {"event_time": from_micros(5), "recorded_at": from_micros(7)}
    base |= {"model": "late", "version": "1", "output.score": 0.5}
    base |= {"entity_key": None, "latency_us": 900}
    single = float(np.float32(0.1))
    first = {"input.single": single, "input.whole": 2**60 + 1, "input.flag": True}
    second = {"input.single": 2.0, "input.whole": -1, "input.flag": False}
    assert rows == [
        {"request_id": "a", **base, **first, "input.text": "é"},
        {"request_id": "b", **base, **second, "input.text": None},
    ]


def test_sealing_removes_the_journal_and_is_done_once(tmp_path: Path) -> None:
    _journal(tmp_path, "w-000001.journal", _frame("a"))

    assert len(seal_journals(tmp_path)) == 1
    assert seal_journals(tmp_path) == []
    assert not list(tmp_path.glob("*.journal"))
    assert _ids(tmp_path) == ["a"]


def test_a_death_between_rename_and_remove_doubles_nothing(tmp_path: Path) -> None:
    journal = _journal(tmp_path, "w-000001.journal", _frame("a"), _frame("b"))
    shutil.copy(journal, tmp_path / "copy")
    seal_journals(tmp_path)
    (tmp_path / "copy").rename(journal)
    assert _ids(tmp_path) == ["a", "b"]

    assert seal_journals(tmp_path) == []

    assert not journal.exists()
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    assert _ids(tmp_path) == ["a", "b"]


def test_a_death_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    _journal(tmp_path, "w-000001.journal", _frame("a"))
    (tmp_path / "w-000001.tmp").write_bytes(b"PAR1 and then nothing")

    seal_journals(tmp_path)

    assert not list(tmp_path.glob("*.tmp"))
    assert _ids(tmp_path) == ["a"]


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.006, 0.012, 0.02])
def test_a_killed_sealer_loses_and_doubles_nothing(tmp_path: Path, delay: float) -> None:
    for number in range(30):
        _journal(tmp_path, f"w-{number:06d}.journal", _frame(f"{number:02d}", at=number))
    script = (
        "import sys; from pathlib import Path;"
        "from mainspring.serving.compaction import seal_journals;"
        "print('go', flush=True); seal_journals(Path(sys.argv[1]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    ) as sealer:
        assert sealer.stdout is not None
        sealer.stdout.readline()
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline:
            pass
        sealer.kill()
    expected = [f"{number:02d}" for number in range(30)]
    assert _ids(tmp_path) == expected

    seal_journals(tmp_path)

    assert _ids(tmp_path) == expected
    assert not list(tmp_path.glob("*.journal"))


def test_a_journal_with_a_damaged_middle_is_kept(tmp_path: Path) -> None:
    journal = _journal(tmp_path, "w-000001.journal", _frame("a"))
    journal.write_bytes(journal.read_bytes() + b"damage" + encode_frame(_frame("b")))

    seal_journals(tmp_path)

    assert _ids(tmp_path) == ["a", "b"]
    assert (tmp_path / "w-000001.damaged").exists()


def test_an_empty_journal_goes_without_a_trace(tmp_path: Path) -> None:
    _journal(tmp_path, "w-000001.journal")

    assert seal_journals(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["seal.lock"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ["a", "b", "c", "d"]),
        (1, None, ["b", "c", "d"]),
        (None, 2, ["a", "b"]),
        (1, 3, ["b", "c"]),
        (3, 3, []),
        (9, None, []),
    ],
)
def test_a_window_has_its_start_and_not_its_end(
    tmp_path: Path, start: int | None, end: int | None, expected: list[str]
) -> None:
    _journal(tmp_path, "w-000001.journal", _frame("b", at=1), _frame("a", at=0))
    seal_journals(tmp_path)
    _journal(tmp_path, "w-000002.journal", _frame("c", at=2))
    _journal(tmp_path, "w-000003.open", _frame("d", at=3))

    assert _ids(tmp_path, start, end) == expected
    assert count_predictions(tmp_path, _moment(start), _moment(end)) == len(expected)


def test_a_request_sent_again_counts_as_first_recorded(tmp_path: Path) -> None:
    _journal(tmp_path, "w-000001.journal", _frame("a", recorded=9, x=_floats(9)))
    seal_journals(tmp_path)
    _journal(
        tmp_path,
        "w-000002.journal",
        _frame("a", recorded=3, x=_floats(3)),
        _frame("b", recorded=4, x=_floats(4)),
    )
    _journal(tmp_path, "w-000003.open", _frame("a", recorded=5, x=_floats(5)))

    table = read_predictions(tmp_path, None, None, ["request_id", "input.x"])

    assert table.to_pylist() == [
        {"request_id": "a", "input.x": 3.0},
        {"request_id": "b", "input.x": 4.0},
    ]


def test_columns_may_come_go_and_change_their_type(tmp_path: Path) -> None:
    _journal(
        tmp_path,
        "w-000001.journal",
        _frame("a", x=("INT64", (), np.array([1]).tobytes()), old=_floats(1)),
        _frame("b", x=_floats(2.5)),
    )
    seal_journals(tmp_path)
    _journal(tmp_path, "w-000002.journal", _frame("c", x=("BYTES", (), ["many"])))

    table = read_predictions(tmp_path, None, None, ["input.x", "input.old", "input.never"])

    assert table["input.x"].to_pylist() == ["1", "2.5", "many"]
    assert table["input.old"].to_pylist() == [1.0, None, None]
    assert table.schema.field("input.never").type == pa.null()


def test_columns_are_what_the_frames_say_row_by_row(tmp_path: Path) -> None:
    """Tables are made of whole columns; a frame tells the same of its rows one by one."""
    frames = []
    for number in range(12):
        counts = [[1, 1], [1, 3, 2], [2]][number % 3]
        rows = sum(counts)
        frame = _frame(*(f"{number}-{place}" for place in range(len(counts))), at=number)
        frame.counts = counts
        size = number % 4
        frame.inputs["x"] = ("FP32", (size,), np.arange(rows * size, dtype=np.float32).tobytes())
        frame.outputs["score"] = _floats(*range(rows))
        if number in (4, 7):
            frame.row_ids = {1: [f"{number}-own-{row}" for row in range(counts[1])]}
            frame.row_times = {0: [1000 + number] * counts[0]}
        if number == 10:
            frame.entities = [None, *[f"e{row}" for row in range(1, rows)]]
            frame.row_entities = {2: ["own", "own"]}
        frames.append(frame)
    _journal(tmp_path, "w-000001.open", *frames[:6])
    _journal(tmp_path, "w-000001.journal", *frames[6:])
    seal_journals(tmp_path)

    found = {row["request_id"]: row for row in read_predictions(tmp_path, None, None).to_pylist()}

    place = 0
    for frame in frames:
        ids, times, keys = frame.request_ids, frame.event_times, frame.entity_keys
        size = frame.inputs["x"][1][0]
        for row, id_ in enumerate(ids):
            one = found[id_]
            assert one["event_time"] == from_micros(times[row])
            assert one["entity_key"] == keys[row]
            assert one["output.score"] == row
            assert one["input.x"] == [float(n) for n in range(row * size, (row + 1) * size)]
            place += 1
    assert place == len(found)


def test_lists_and_single_values_are_read_together(tmp_path: Path) -> None:
    _journal(
        tmp_path,
        "w-000001.journal",
        _frame("a", x=("FP32", (2,), np.array([1, 2], dtype=np.float32).tobytes())),
        _frame("b", x=_floats(2.5)),
        _frame("c", x=("BYTES", (), [None])),
    )

    table = read_predictions(tmp_path, None, None, ["input.x"])

    assert table["input.x"].to_pylist() == [["1", "2"], ["2.5"], [None]]


def test_rows_of_one_model_keep_its_types(tmp_path: Path) -> None:
    text = _frame("a", x=("BYTES", (), ["many"]))
    text.model = "other"
    _journal(tmp_path, "w-000001.journal", text, _frame("b", x=_floats(2.5)))

    table = read_predictions(tmp_path, None, None, ["input.x"], model="late")

    assert table["input.x"].to_pylist() == [2.5]


def test_a_day_of_a_year_opens_only_its_own_files(tmp_path: Path) -> None:
    day = 24 * 60 * MINUTE
    for number in range(300):
        _journal(tmp_path, f"w-{number:06d}.journal", _frame(f"{number:03d}", at=number * day))
    seal_journals(tmp_path)
    for path in tmp_path.glob("*.parquet"):
        if not path.name.startswith(f"{200 * day}-"):
            path.write_bytes(b"opening this would fail")

    assert _ids(tmp_path, 200 * day, 201 * day) == ["200"]


def test_what_is_sealed_while_others_become_parquet_is_kept(tmp_path: Path) -> None:
    frames = [_frame(f"{number}") for number in range(600)]

    def write() -> None:
        for number, frame in enumerate(frames):
            path = _journal(tmp_path, f"w-{number:06}.open", frame)
            path.rename(path.with_suffix(".journal"))

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        while not writing.done():
            seal_journals(tmp_path)
        writing.result()
    seal_journals(tmp_path)

    assert sorted(_ids(tmp_path), key=int) == [str(number) for number in range(600)]
