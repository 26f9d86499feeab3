"""Files and folders: the same table has one digest however it is filed, all else has its bytes'."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from mainspring.core.errors import Invalid, NotFound
from mainspring.datasets.reading import describe
from tests.datasets.given import TABLE, WANTED, digest, frame


def written(folder: Path, name: str) -> Path:
    """The table as a file."""
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(TABLE, path, row_group_size=2, compression="gzip")
    elif name.endswith((".arrow", ".feather")):
        pa.feather.write_feather(TABLE, path)
    elif name.endswith(".ipc"):
        with pa.ipc.new_stream(path, TABLE.schema) as stream:
            stream.write_table(TABLE, 1)
    elif ".csv" in name:
        text = frame().to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    else:
        frame().to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.arrow", "a.feather", "a.ipc", "a.csv", "a.csv.gz", "A.CSV", "a.jsonl"]
)
def test_a_file_has_the_digest_of_its_table(tmp_path: Path, name: str) -> None:
    if name == "A.CSV":
        written(tmp_path, "a.csv").rename(tmp_path / name)
        path = tmp_path / name
    else:
        path = written(tmp_path, name)

    found = describe(path)

    assert (found.digest, found.rows, found.source) == (WANTED, 3, str(path))
    assert digest(str(path)) == WANTED


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_ten_files_are_the_same_table_as_one(tmp_path: Path, kind: str) -> None:
    numbers = pd.DataFrame({"a": range(10), "b": [0, *([0.5] * 9)], "c": ["1"] * 9 + ["x"]})
    write: dict[str, Callable[[pd.DataFrame, Path], object]] = {
        "parquet": lambda part, path: part.to_parquet(path),
        "csv": lambda part, path: part.to_csv(path, index=False),
        "jsonl": lambda part, path: part.to_json(path, orient="records", lines=True),
    }
    for at in range(10):
        part = numbers[at : at + 1].reset_index(drop=True)
        write[kind](part, tmp_path / f"part-{at}.{kind}")
    (tmp_path / "_SUCCESS").touch()

    assert digest(tmp_path) == digest(numbers)


def test_folders_named_after_values_are_columns(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2, 3], "year": [2012, 2013, 2013], "z": ["a", "a", "b"]})
    pq.write_to_dataset(table, tmp_path, partition_cols=["year", "z"])

    names = [column["name"] for column in describe(tmp_path).columns]

    assert names == ["x", "year", "z"]
    assert digest(tmp_path) == digest(pq.read_table(tmp_path))


def test_files_of_other_columns_are_no_table_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.5]}), tmp_path / "2.parquet")

    with pytest.raises(Invalid, match=r"column 'a' of .*2\.parquet is of type float64, and int64"):
        describe(tmp_path)


def test_types_of_csv_are_found_in_all_values(tmp_path: Path) -> None:
    rows = ["whole,big,number,flag,text,none", "1,1,1,true,1,"] * 1
    rows += ["-7,99999999999999999999,NaN,,2013-01-01,NA", ",2,1e-3,FALSE,,"]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows))

    kinds = {column["name"]: column["type"] for column in describe(path).columns}

    assert kinds == {
        "whole": "int64", "big": "text", "number": "float64", "flag": "bool", "text": "text",
        "none": "null",
    }  # fmt: skip


def test_lines_of_json_may_lack_fields_and_widen_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1, "at": "2013-01-01"}\n\n{"b": {"x": [1]}, "a": 2.5}\n')

    assert digest(path) == digest(
        [{"a": 1.0, "at": "2013-01-01", "b": None}, {"a": 2.5, "b": {"x": [1]}}]
    )


def test_a_file_that_is_no_table_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG")
    table = written(tmp_path, "a.parquet")
    outside = [
        subprocess.run(["sha256sum", one], capture_output=True, text=True, check=True).stdout[:64]
        for one in (path, table)
    ]

    found = describe(path)

    assert (found.digest, found.rows, found.source_type) == (f"sha256:{outside[0]}", None, "file")
    assert digest(table, as_bytes=True) == f"sha256:{outside[1]}"


def test_a_folder_has_the_digest_of_its_paths_and_bytes(tmp_path: Path) -> None:
    for name in ("left", "right"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "a.txt").write_text("one")
        (tmp_path / name / "b.png").write_text("two")
    before = [digest(tmp_path / name) for name in ("left", "right")]

    (tmp_path / "right" / "b.png").rename(tmp_path / "right" / "c.png")

    assert before[0] == before[1] != digest(tmp_path / "right")
    assert describe(tmp_path / "left").source_type == "folder"


def test_a_file_that_is_not_there_or_broken_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("no table")

    with pytest.raises(Invalid, match=r"a\.parquet cannot be read") as broken:
        describe(path)
    with pytest.raises(NotFound, match=r"no file or folder 'nowhere\.csv'"):
        describe("nowhere.csv")
    assert broken.value.fix is not None
    assert digest(path, as_bytes=True).startswith("sha256:")
