"""Arrow arrays made of buffers are those that pyarrow makes of the values."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.serving import arrays
from mainspring.serving.arrays import numbered, numbers, repeated, texts
from mainspring.serving.frame_table import TYPES
from mainspring.serving.reserved import ids_of_rows

from .logged import frame, journal

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
COUNTS = st.sampled_from([1, 1, 1, 2, 9, 10, 11, 99, 101, 1030])


@given(st.lists(st.tuples(IDS, COUNTS), min_size=1, max_size=8), st.sampled_from([7, 100, 2**20]))
def test_rows_are_numbered_as_everywhere(requests: list[tuple[str, int]], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "MOST_ROWS", most)
        made = list(numbered([id_ for id_, _ in requests], np.array([n for _, n in requests])))

    for array in made:
        array.validate(full=True)
        assert len(array) <= max(most, *(count for _, count in requests))
    found = [id_ for array in made for id_ in array.to_pylist()]
    assert found == [row for id_, count in requests for row in ids_of_rows(id_, count)]


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5)))
def test_texts_are_what_they_were(values: list[str | None]) -> None:
    made = texts(values)

    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


def test_what_is_no_text_is_written_as_one() -> None:
    made = texts([b"\xff\x00", "\ud800", None, b"plain", "ü"])

    made.validate(full=True)
    assert made.to_pylist() == ["\\xff\x00", "\\ud800", None, "plain", "ü"]


@pytest.mark.parametrize("kind", [kind for name, kind in TYPES.items() if name != "BYTES"], ids=str)
def test_numbers_are_what_they_were(kind: pa.DataType) -> None:
    dtype = np.dtype(bool) if kind == pa.bool_() else np.dtype(kind.to_pandas_dtype())
    values = np.arange(19).astype(dtype)

    made = numbers(values.tobytes(), kind)

    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


def test_a_text_is_repeated() -> None:
    assert repeated("tumöur", 3).to_pylist() == ["tumöur"] * 3
    assert repeated("x", 0).to_pylist() == []


def test_a_compaction_does_not_import_pandas(tmp_path: Path) -> None:
    several = frame("b", at=1)
    several.counts, several.inputs, several.outputs = [2], {"x": ("BYTES", (), ["a", None])}, {}
    several.entities = ["e", None]
    journal(tmp_path, "w-000001.journal", frame("a"), several)
    code = "import sys; from mainspring.serving.compaction import main; main(); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )

    assert find_spec("pandas") is not None
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert {"pyarrow", "pandas"} & {*done.stdout.split()} == {"pyarrow"}
