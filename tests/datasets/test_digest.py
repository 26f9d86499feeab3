"""The digest is what docs/dataset.md says, and nothing else of the data matters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import Invalid
from mainspring.datasets.digest import digest_of_table
from tests.datasets.definition import Kind, digest, unordered_digest
from tests.datasets.tables import Drawn, stored, tables

ROWS = 150_001
"""More than two blocks."""


@settings(deadline=None, max_examples=150)
@given(drawn=tables())
def test_a_table_has_the_digest_of_the_page(drawn: Drawn) -> None:
    assert digest_of_table(drawn.table) == digest(drawn.columns, drawn.rows)


@settings(deadline=None, max_examples=80)
@given(drawn=tables())
def test_rows_in_any_order_have_the_digest_of_the_page(drawn: Drawn) -> None:
    found = digest_of_table(drawn.table, ordered=False)

    assert found == unordered_digest(drawn.columns, drawn.rows)


@settings(deadline=None, max_examples=60)
@given(drawn=tables(), data=st.data())
def test_how_values_are_stored_and_chunked_does_not_matter(drawn: Drawn, data: Any) -> None:
    again = stored(data.draw, drawn.columns)

    assert digest_of_table(again) == digest_of_table(drawn.table)


@settings(deadline=None, max_examples=40)
@given(drawn=tables(), data=st.data())
def test_the_order_of_rows_matters_unless_it_is_said_not_to(drawn: Drawn, data: Any) -> None:
    order = data.draw(st.permutations(range(drawn.rows)))
    moved = pa.Table.from_arrays(
        [pa.concat_arrays([column.combine_chunks().slice(at, 1) for at in order])
         if drawn.rows else column for column in drawn.table.columns],
        names=drawn.table.column_names,
    )  # fmt: skip
    same = [[values[at] for at in order] for _, _, values in drawn.columns]
    expected = digest(
        [(name, kind, values) for (name, kind, _), values in zip(drawn.columns, same, strict=True)],
        drawn.rows,
    )

    assert digest_of_table(moved) == expected
    assert digest_of_table(moved, ordered=False) == digest_of_table(drawn.table, ordered=False)


@pytest.mark.parametrize("rows", [65_535, 65_536, 65_537, 131_072, ROWS])
def test_blocks_end_where_the_page_says(rows: int) -> None:
    values = np.arange(rows)
    floats = np.where(values % 7 == 0, math.nan, values / 3)
    columns = [
        ("a", Kind("int64"), values.tolist()),
        ("b", Kind("float64"), floats.tolist()),
        ("c", Kind("text"), [str(value % 100) for value in values.tolist()]),
    ]
    table = pa.table({"a": values, "b": floats, "c": columns[2][2]})

    assert digest_of_table(table) == digest(columns, rows)


@pytest.mark.parametrize("size", [1_000, 65_536, 70_000])
def test_batches_of_any_size_give_one_digest(size: int) -> None:
    texts = [None if at % 7 == 0 else str(at % 5) for at in range(ROWS)]
    table = pa.table({"a": np.arange(ROWS), "b": texts})
    pieces = [table.slice(start, size) for start in range(0, ROWS, size)]
    encoded = [piece.set_column(1, "b", piece["b"].dictionary_encode()) for piece in pieces]
    copied = pa.concat_tables([pa.table(piece.to_pydict()) for piece in pieces[:2]])

    assert digest_of_table(pa.concat_tables(pieces)) == digest_of_table(table)
    assert digest_of_table(pa.concat_tables(encoded)) == digest_of_table(table)
    assert digest_of_table(copied) == digest_of_table(table.slice(0, copied.num_rows))


def test_what_lies_below_a_null_does_not_matter() -> None:
    mask = pa.array([False, True, False])
    numbers = pa.array(np.array([1, 999, 3]), mask=np.array([False, True, False]))
    below = pa.StringArray.from_buffers(
        3, pa.array([0, 1, 4, 5], pa.int32()).buffers()[1], pa.py_buffer(b"ahidb"),
        pc.invert(mask).buffers()[1],
    )  # fmt: skip

    assert digest_of_table(pa.table({"n": numbers, "t": below})) == digest_of_table(
        pa.table({"n": [1, None, 3], "t": ["a", None, "b"]})
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1.0, None], [1.0, math.nan]),
        ([0.0], [-0.0]),
        ([[0.5, math.nan]], [[0.5, None]]),
    ],
)
def test_there_is_one_missing_number_and_one_zero(left: list[Any], right: list[Any]) -> None:
    assert _of(left) == _of(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pa.array([1, 2]), pa.array([1.0, 2.0])),
        (pa.array([1, 2], pa.int32()), pa.array([1, 2])),
        (pa.array([1, None]), pa.array([1, 0])),
        (pa.array(["", None]), pa.array([None, ""])),
        (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
        (pa.array(["a"]), pa.array([b"a"])),
        (pa.array([[1], [2, 3]]), pa.array([[1, 2], [3]])),
        (pa.array([None], pa.int64()), pa.array([None], pa.float64())),
        (pa.array([0], pa.timestamp("s")), pa.array([0], pa.timestamp("s", "UTC"))),
        (pa.array([0], pa.timestamp("s", "Asia/Tokyo")), pa.array([0], pa.timestamp("s", "UTC"))),
        (pa.array([{"a": None}]), pa.array([None], pa.struct([("a", pa.null())]))),
    ],
)
def test_other_values_and_other_types_are_other_data(left: pa.Array, right: pa.Array) -> None:
    assert _of(left) != _of(right)


def _of(values: Any, *, ordered: bool = True) -> str:
    return digest_of_table(pa.table({"a": values}), ordered=ordered)


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "utc", "Zulu", "+00:00", "GMT", "Universal"])
def test_every_name_of_utc_is_one(zone: str) -> None:
    assert _of(pa.array([5], pa.timestamp("ms", zone))) == _of(
        pa.array([5_000_000], pa.timestamp("ns", "UTC"))
    )


def test_names_and_their_order_are_part_of_the_schema() -> None:
    found = [
        digest_of_table(table)
        for table in (
            pa.table({"a": [1], "b": [1]}),
            pa.table({"b": [1], "a": [1]}),
            pa.table({"ab": [1], "": [1]}),
            pa.table({"a": [1]}),
            pa.table({"a": [1, 1]}),
        )
    ]

    assert len(set(found)) == 5


def test_equal_rows_count_as_often_as_they_are_there() -> None:
    assert _of([1, 1, 2], ordered=False) == _of([1, 2, 1], ordered=False)
    assert _of([1, 1, 2], ordered=False) != _of([1, 2, 2], ordered=False)
    assert _of([1, 1, 2], ordered=False) != _of([1, 1, 2])


def test_encodings_around_values_do_not_matter() -> None:
    plain = pa.array(["a", "a", None, "b"])
    ways = [
        plain.dictionary_encode(),
        pc.run_end_encode(plain),
        pa.DictionaryArray.from_arrays(pa.array([0, 2, 1, 3]), pa.array(["a", None, "a", "b"])),
    ]
    pairs = pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64()))
    listed = pa.array([[{"key": "k", "value": 1}], None])

    assert {_of(way) for way in ways} == {_of(plain)}
    assert _of(pairs) == _of(listed)
    assert _of(pa.array([[1, 2], None], pa.list_(pa.int64(), 2))) == _of(pa.array([[1, 2], None]))
    assert _of(pa.array([b"ab", None], pa.binary(2))) == _of(pa.array([b"ab", None]))


def test_a_type_that_cannot_be_digested_is_named_with_its_column() -> None:
    table = pa.table({"odd": pa.nulls(1, pa.month_day_nano_interval())})

    with pytest.raises(Invalid, match="column 'odd' is of type month_day_nano_interval") as error:
        digest_of_table(table)

    assert error.value.field == "odd"
