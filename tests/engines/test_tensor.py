"""Columns are checked before a model sees them, with messages that name the column."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.encoding import encode
from mainspring.engines.tensor import Tensors, check_inputs, check_signature

SIGNATURE = Signature(
    inputs=(
        Column(name="price", datatype="FP64"),
        Column(name="gap", datatype="FP32", nullable=True),
        Column(name="count", datatype="INT64"),
        Column(name="flag", datatype="BOOL"),
        Column(name="kind", datatype="BYTES", categories=("a", "b")),
        Column(name="note", datatype="BYTES", nullable=True, categories=("x",)),
    ),
    outputs=(Column(name="score", datatype="FP64"),),
)


def _inputs() -> Tensors:
    return {
        "price": np.array([1.5, 2.5]),
        "gap": np.array([np.nan, 1], dtype=np.float32),
        "count": np.array([1, 2]),
        "flag": np.array([True, False]),
        "kind": np.array(["b", "unseen"], dtype=object),
        "note": np.array([None, "x"], dtype=object),
    }


def test_good_inputs_are_counted() -> None:
    assert check_inputs(SIGNATURE, _inputs()) == 2


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("price", None, "the input column 'price' is missing"),
        ("other", np.array([1.0, 2.0]), "the model has no input column 'other'"),
        ("price", np.array([1, 2]), "column 'price' holds int64; FP64 wants float64"),
        ("price", np.array([[1.0], [2.0]]), "column 'price' has the shape [2, 1]; [-1] is wanted"),
        ("count", np.array([1]), "column 'count' has 1 rows; the first column has 2"),
        (
            "price",
            np.array([1.0, np.nan]),
            "column 'price', row 1: null, but the column is not nullable",
        ),
        (
            "kind",
            np.array(["a", None], dtype=object),
            "column 'kind', row 1: null, but the column is not nullable",
        ),
        (
            "kind",
            np.array([7, "a"], dtype=object),
            "column 'kind', row 0: expected text, got int",
        ),
        ("kind", np.array(["a", "b"]), "column 'kind' holds <U1; BYTES wants object"),
    ],
)
def test_bad_inputs_are_refused_by_name(name: str, values: np.ndarray | None, message: str) -> None:
    inputs = _inputs() | ({} if values is None else {name: values})
    inputs = {key: inputs[key] for key in inputs if key != name or values is not None}

    with pytest.raises(Invalid) as refusal:
        check_inputs(SIGNATURE, inputs)

    assert refusal.value.message == message
    assert refusal.value.field == name


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column(name="", datatype="FP64"), "empty or reserved"),
        (Column(name="mainspring.request_id", datatype="BYTES"), "empty or reserved"),
        (Column(name="n", datatype="INT64", nullable=True), "cannot be missing"),
        (Column(name="n", datatype="FP64", categories=("a",)), "has categories but is not BYTES"),
    ],
)
def test_a_signature_no_engine_could_honour_is_refused(column: Column, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        check_signature(Signature(inputs=(column,), outputs=SIGNATURE.outputs))


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="name 'price' 2 times"):
        check_signature(Signature(inputs=SIGNATURE.inputs[:1] * 2, outputs=SIGNATURE.outputs))


def test_encoding_gives_codes_and_turns_the_unknown_into_nan() -> None:
    np.testing.assert_array_equal(
        encode(SIGNATURE, _inputs()),
        [[1.5, np.nan, 1, 1, 1, np.nan], [2.5, 1, 2, 0, np.nan, 0]],
    )


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT64", "BOOL"])
def test_every_number_encodes_as_itself(datatype: Datatype) -> None:
    signature = Signature(inputs=(Column(name="x", datatype=datatype),), outputs=SIGNATURE.outputs)
    dtypes = {"FP32": "f4", "FP64": "f8", "INT64": "i8", "BOOL": "?"}

    assert encode(signature, {"x": np.array([1, 0], dtype=dtypes[datatype])}).tolist() == [[1], [0]]


def test_text_without_categories_cannot_be_encoded() -> None:
    signature = Signature(
        inputs=(Column(name="words", datatype="BYTES"),), outputs=SIGNATURE.outputs
    )

    with pytest.raises(Invalid, match="'words' has no categories"):
        encode(signature, {"words": np.array(["hello"], dtype=object)})
