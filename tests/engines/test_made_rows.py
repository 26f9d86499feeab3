"""Made-up rows fit the signature, reach its corners, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.made_rows import ANY_SIZE, UNSEEN, made_rows
from mainspring.engines.tensor import DTYPES, Array, check_inputs

OUTPUTS = (Column(name="score", datatype="FP64"),)


def made(column: Column, **ends: tuple[float, float]) -> Array:
    signature = Signature(inputs=(column,), outputs=OUTPUTS)
    rows = made_rows(signature, 2000, 7, ends)
    assert check_inputs(signature, rows) == 2000
    return rows[column.name]


@pytest.mark.parametrize("datatype", list(DTYPES))
def test_every_datatype_fits_and_varies(datatype: Datatype) -> None:
    values = made(Column(name="x", datatype=datatype))

    assert len(set(values.tolist())) > 1


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "BYTES"])
def test_what_may_be_missing_sometimes_is(datatype: Datatype) -> None:
    levels = ("a", "b") if datatype == "BYTES" else ()
    values = made(Column(name="x", datatype=datatype, nullable=True, categories=levels))

    missing = sum(value is None or value != value for value in values.tolist())  # noqa: PLR0124
    assert 100 < missing < 400


def test_categories_come_with_some_that_nobody_has_seen() -> None:
    values = made(Column(name="x", datatype="BYTES", categories=("a", "b")))

    assert set(values.tolist()) == {"a", "b", UNSEEN}
    assert 10 < np.count_nonzero(values == UNSEEN) < 100


def test_numbers_stay_in_their_known_range_and_fill_it() -> None:
    values = made(Column(name="x", datatype="FP64"), x=(5.0, 6.0))

    assert values.min() >= 5.0
    assert values.max() <= 6.0
    assert values.max() - values.min() > 0.9


def test_without_a_range_there_are_zeros_whole_numbers_and_large_ones() -> None:
    values = made(Column(name="x", datatype="FP64"))

    assert np.count_nonzero(values == 0) > 100
    assert np.count_nonzero((values == np.rint(values)) & (values != 0)) > 100
    assert np.abs(values).max() > 1000
    assert (values < 0).any()


def test_a_dimension_of_any_size_gets_one() -> None:
    assert made(Column(name="x", datatype="FP32", shape=(2, -1))).shape == (2000, 2, ANY_SIZE)


def test_the_same_seed_makes_the_same_rows() -> None:
    signature = Signature(
        inputs=(
            Column(name="x", datatype="FP64"),
            Column(name="k", datatype="BYTES", categories=("a", "b")),
        ),
        outputs=OUTPUTS,
    )
    one, same, other = (made_rows(signature, 50, seed) for seed in (1, 1, 2))

    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
    assert (one["x"] != other["x"]).any()
