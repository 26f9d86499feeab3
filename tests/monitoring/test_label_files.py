"""Files of labels are read row by row and recorded in requests of bounded size."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.core.errors import Invalid
from mainspring.monitoring.label_contract import (
    CountLabels,
    Label,
    RecordedLabels,
    count_labels,
)
from mainspring.monitoring.label_delivery import record
from mainspring.monitoring.label_files import labels_in
from tests import watch
from tests.house import Clients
from tests.story import MODEL

NOON = dt.datetime(2013, 3, 1, 12, tzinfo=dt.UTC)
BOTH = [
    Label(request_id="007", value=1.0, event_time=NOON),
    Label(entity_key="store, 7", about=NOON - dt.timedelta(days=1), value=0.5, event_time=NOON),
]
CSV = """request_id,entity_key,about,value,event_time
007,,,1,2013-03-01T12:00:00Z

,"store, 7",2013-02-28 12:00:00,0.5,2013-03-01T13:00:00+01:00
"""
JSON_LINES = """{"request_id": "007", "value": true, "event_time": "2013-03-01T12:00:00Z"}

{"entity_key": "store, 7", "about": "2013-02-28T12:00", "value": 0.5, "event_time": "2013-03-01T12:00Z"}
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def of_columns(path: Path) -> Path:
    naive = NOON.replace(tzinfo=None)
    columns = {
        "request_id": ["007", None],
        "entity_key": [None, "store, 7"],
        "about": pa.array([None, naive - dt.timedelta(days=1)], pa.timestamp("us")),
        "value": [1.0, 0.5],
        "event_time": pa.array([NOON, NOON], pa.timestamp("ns", tz="Europe/Berlin")),
    }
    return parquet(path / "labels.parquet", columns)


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: written(folder / "labels.csv", CSV),
        lambda folder: written(folder / "labels.csv", "\ufeff" + CSV),
        lambda folder: written(folder / "LABELS.JSONL", JSON_LINES),
        of_columns,
    ],
    ids=["CSV", "CSV of Excel", "JSON lines", "Parquet"],
)
def test_every_kind_of_file_holds_the_same_labels(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    assert list(labels_in(make(tmp_path))) == BOTH


def test_rows_that_do_not_say_when_they_became_known_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.csv", "request_id,value\na,1\n")

    assert list(labels_in(path, NOON)) == [Label(request_id="a", value=1.0, event_time=NOON)]
    with pytest.raises(Invalid, match=r"line 2 of .*event_time is missing"):
        list(labels_in(path))


HEAD = "request_id,value,event_time\n"
GOOD = "a,1,2013-03-01T12:00:00Z\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", HEAD + GOOD + "b,nan,2013-03-01\n", "line 3 of .*value: 'nan' found, wanted a finite"),
        ("a.csv", HEAD + GOOD + "b,1,1362139200\n", "line 3 of .*event_time: '1362139200' found"),
        ("a.csv", HEAD + GOOD + "b,1\n", "line 3 of .*found 2 values, wanted 3"),
        ("a.csv", HEAD + '"a\nb",1,2013-03-01\n"c\n', "cannot be read: unexpected end of data"),
        ("a.csv", HEAD + ",1,2013-03-01\n", "line 2 of .*found neither, wanted either"),
        ("a.csv", "request,value\na,1\n", "line 1 of .*unknown field 'request'"),
        ("a.csv", HEAD + "x" * 100_001, "line 2 of .* is longer than 100,000 characters"),
        ("a.csv", HEAD + "x" * 201 + ",1,2013-03-01\n", "line 2 of .*request_id.*length <= 200"),
        ("a.jsonl", '{"request_id": "a"}\n[1]\n', "line 1 of .*value is missing"),
        ("a.jsonl", "\n[1]\n", "line 2 of .*no JSON object"),
        ("a.jsonl", '{"request_id": 7, "value": 1, "event_time": "2013-03-01"}', "line 1 of .*Expected `str"),
        ("a.jsonl", '{"request_id": "a", "colour": "red"}', "line 1 of .*unknown field 'colour'"),
        ("a.jsonl", '{"request_id": "a", "value": [1]}', r"line 1 of .*value: \[1\] found"),
        ("a.parquet", "no parquet", "cannot be read"),
        ("a.xls", "", "a.xls is not read as labels; wanted a file named .csv, .jsonl"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = written(tmp_path / name, text)

    with pytest.raises(Invalid, match=said):
        list(labels_in(path, None))


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(HEAD.encode() + b"\xff\xfe,1,2013-03-01\n")

    with pytest.raises(Invalid, match=r"labels.csv cannot be read: 'utf-8' codec"):
        list(labels_in(path))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"labels.csv cannot be read: No such file"):
        list(labels_in(tmp_path / "labels.csv"))


def test_a_bad_row_of_parquet_is_named(tmp_path: Path) -> None:
    columns = {"request_id": ["a", "b"], "value": [1.0, None], "event_time": [NOON, NOON]}
    path = parquet(tmp_path / "labels.parquet", columns)

    with pytest.raises(Invalid, match=r"row 2 of .*value is missing"):
        list(labels_in(path))
    with pytest.raises(Invalid, match="unknown field 'colour'"):
        list(labels_in(parquet(path, {"colour": ["red"]})))


@pytest.mark.slow
def test_a_hundred_thousand_labels_of_a_file_are_recorded_once(
    clients: Clients, tmp_path: Path
) -> None:
    watch.deployed(clients)
    half = 50_000
    rows = [f"r{at},,,{at % 2}\n" for at in range(half)]
    rows += [
        f",e{at % 1000},2013-01-{1 + at % 28:02}T00:{at // 1000:02}:00Z,1\n" for at in range(half)
    ]
    path = written(tmp_path / "labels.csv", "request_id,entity_key,about,value\n" + "".join(rows))

    def sent() -> RecordedLabels:
        return record(clients.developer, MODEL, labels_in(path, NOON))

    first = sent()
    assert (first.new, first.doubled) == (2 * half, 0)
    again = sent()
    assert (again.new, again.doubled, again.count) == (0, 2 * half, 0)
    assert clients.viewer.call(count_labels, CountLabels(deployment=MODEL)).count == 2 * half


def lines(values: Iterable[object]) -> str:
    fields = ({"request_id": f"r{at}", "value": value} for at, value in enumerate(values))
    return "".join(json.dumps(one) + "\n" for one in fields)


def test_a_file_that_broke_off_is_mended_and_sent_again(clients: Clients, tmp_path: Path) -> None:
    watch.deployed(clients)
    path = written(tmp_path / "labels.jsonl", lines([1.0] * 10_500 + ["much"] + [1.0] * 10))

    with pytest.raises(Invalid, match="line 10,501 of ") as caught:
        record(clients.developer, MODEL, labels_in(path, NOON))
    assert "the 10,000 labels before are recorded" in str(caught.value.fix)

    written(path, lines([1.0] * 10_511))
    found = record(clients.developer, MODEL, labels_in(path, NOON))
    assert (found.new, found.doubled) == (511, 10_000)
