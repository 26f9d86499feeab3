"""The summary of each column: right, bounded, and the same whatever the chunks."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.datasets.summary import MOST_COLUMNS, SAMPLE, describe_columns
from tests.datasets.tables import Drawn, stored, tables


def summary(values: Any) -> dict[str, Any]:
    (found,) = describe_columns(pa.table({"a": values}))
    return found


@settings(deadline=None, max_examples=80)
@given(drawn=tables(), data=st.data())
def test_it_is_json_and_does_not_depend_on_storage(drawn: Drawn, data: Any) -> None:
    found = describe_columns(drawn.table)

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert describe_columns(stored(data.draw, drawn.columns)) == found


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(-1e9, 1e9), min_size=2))
def test_numbers_are_those_of_numpy(values: list[float | None]) -> None:
    there = [value for value in values if value is not None]

    found = summary(pa.array(values, pa.float64()))

    assert (found["count"], found["missing"]) == (len(there), len(values) - len(there))
    expected = (np.mean(there), np.std(there, ddof=1)) if len(there) > 1 else (0, 0)
    measured = (found["mean"], found["std"]) if len(there) > 1 else (0, 0)
    assert measured == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert found.get("quantiles", {}).get("0.5") == (
        pytest.approx(np.median(there)) if there else None
    )


def test_nan_is_missing_and_infinite_values_are_counted_apart() -> None:
    found = summary([1.0, 3.0, math.nan, None, math.inf, -math.inf])

    assert (found["count"], found["missing"], found["infinite"]) == (4, 2, 2)
    assert (found["min"], found["max"], found["mean"]) == (1.0, 3.0, 2.0)


def test_long_columns_are_sampled_without_chance() -> None:
    values = np.arange(1_000_000)
    table = pa.table({"a": values})
    pieces = pa.concat_tables([table.slice(at, 999) for at in range(0, 1_000_000, 999)])

    (found,) = describe_columns(table)

    assert describe_columns(pieces) == [found]
    assert (found["count"], found["min"], found["max"]) == (1_000_000, 0, 999_999)
    assert (found["mean"], found["std"]) == pytest.approx((499_999.5, values.std(ddof=1)))
    assert SAMPLE / 2 < found["sample"] == found["distinct"] <= SAMPLE
    assert found["quantiles"]["0.25"] == pytest.approx(250_000, rel=0.001)


def test_the_most_frequent_values_come_first() -> None:
    found = summary(["b", "a", "b", None, "x" * 500, "a"])

    assert [(one["value"][:3], one["count"]) for one in found["top"]] == [
        ("a", 2), ("b", 2), ("xxx", 1),
    ]  # fmt: skip
    assert len(found["top"][2]["value"]) == 100
    assert found["length"]["max"] == 500


def test_values_that_are_all_different_are_not_told() -> None:
    assert "top" not in summary([f"customer {at}" for at in range(50)])


def test_few_whole_numbers_are_counted_as_classes() -> None:
    assert summary([1, 0, 1])["top"] == [{"value": 1, "count": 2}, {"value": 0, "count": 1}]
    assert "top" not in summary(list(range(100)) * 2)


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        (pa.array([0, 86_400], pa.timestamp("s", "UTC")),
         ("1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z")),
        (pa.array([1, None, 5], pa.timestamp("ns")),
         ("1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000000005")),
        (pa.array([1, 3], pa.date32()), ("1970-01-02", "1970-01-04")),
        (pa.array([1500], pa.duration("ms")), (1.5, 1.5)),
        (pa.array([60], pa.time32("s")), ("00:01:00", "00:01:00")),
        (pa.array([1, None]).cast(pa.decimal128(30, 2)), ("1.00", "1.00")),
    ],
)  # fmt: skip
def test_moments_and_decimals_are_written(values: pa.Array, ends: tuple[Any, Any]) -> None:
    found = summary(values)

    assert (found["min"], found["max"]) == ends


def test_wide_tables_are_described_up_to_a_limit() -> None:
    names = [str(place) for place in range(MOST_COLUMNS + 5)]
    table = pa.Table.from_arrays([pa.array([1])] * len(names), names=names)

    assert len(describe_columns(table)) == MOST_COLUMNS
