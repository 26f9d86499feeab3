"""BF16 is kept in single precision: what is sent, and rounded, is what ml_dtypes makes of it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.bfloat16 import is_bfloat16, rounded, shortened, widened
from mainspring.engines.python import PythonEngine
from mainspring.engines.tensor import check_signature

EVERY = np.arange(2**16, dtype="<u2")


def test_every_value_goes_both_ways() -> None:
    found = widened(EVERY.tobytes())

    np.testing.assert_array_equal(found, EVERY.view(ml_dtypes.bfloat16).astype(np.float32))
    back = np.frombuffer(shortened(found), dtype="<u2")
    number = ~np.isnan(found)
    np.testing.assert_array_equal(back[number], EVERY[number])
    assert np.isnan(widened(back[~number].tobytes())).all()


def test_numbers_are_rounded_to_the_nearest_and_to_the_even_of_two() -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, 100_000, dtype=np.uint32)
    halves = (EVERY.astype("<u4") << 16) + 0x8000
    values = np.concatenate([bits, halves]).astype("<u4").view("<f4")

    found = rounded(values)

    assert is_bfloat16(found)
    with np.errstate(over="ignore", invalid="ignore"):
        wanted = values.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)


class Passing:
    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = inputs["x"]
        return {"same": x, "more": x * 3, "other": x.astype(ml_dtypes.bfloat16), "wide": x + 0.0}


def test_what_is_computed_of_it_alone_is_bf16_again() -> None:
    x = rounded(np.array([1.1, -2.7], dtype=np.float32))

    found = PythonEngine(Passing(), "Passing").predict({"x": x})

    assert {name: is_bfloat16(values) for name, values in found.items()} == dict.fromkeys(
        found, True
    )
    np.testing.assert_array_equal(found["more"], (x * 3).astype(ml_dtypes.bfloat16))


def test_no_other_engine_takes_it() -> None:
    signature = Signature(
        inputs=(Column(name="x", datatype="BF16"),), outputs=(Column(name="y", datatype="FP32"),)
    )
    with pytest.raises(Invalid, match="'x' is BF16, which only models in Python"):
        check_signature(signature)
