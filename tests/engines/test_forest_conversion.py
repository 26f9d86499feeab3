"""LightGBM's text models as ONNX answer as the library does, whatever is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.conversion import convert
from mainspring.engines.encoding import encode
from mainspring.engines.engine import load_model
from mainspring.engines.forest_conversion import Asked
from mainspring.engines.forest_conversion import convert as convert_forest
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.parity import judge
from mainspring.engines.table import Budget, Precision
from mainspring.engines.tree_text import read_forest
from tests.engines.forests import KINDS, Kind, many_rows, saved, trained


def _converted(folder: Path, signature: Signature, precision: Precision) -> bytes:
    return convert_forest(Asked(folder=folder, signature=signature, precision=precision))


@pytest.mark.parametrize("precision", ["FP32", "FP64"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_answers_as_the_library_does(
    kind: Kind, precision: Precision, tmp_path: Path
) -> None:
    signature = saved(kind, tmp_path)
    rows = many_rows()

    onnx = ONNXEngine(_converted(tmp_path, signature, precision), signature)

    parity = judge(load_model(tmp_path).predict(rows), onnx.predict(rows), Budget(), task="binary")
    assert parity.within, parity.reasons
    assert parity.largest is not None
    # Leaves and their sum are float32 in the one, float64 until the end in the other.
    assert parity.largest < (2e-6 if precision == "FP32" else 2e-7)


def test_thresholds_in_single_precision_part_float32_rows_as_the_library_does(
    tmp_path: Path,
) -> None:
    signature = Signature(
        inputs=(Column(name="x", datatype="FP32"),),
        outputs=(Column(name="score", datatype="FP64"),),
    )
    text = trained(Kind("regression"), 1)[0].model_to_string()
    near = np.float32(0.1)
    threshold = float(near) - 1e-10  # rounds to the float32 above it, which would let 0.1 go left
    assert np.float32(threshold) == near
    (tmp_path / "model.txt").write_text(_stump(text, threshold))
    rows = {"x": np.array([np.nextafter(near, np.float32(0)), near], dtype=np.float32)}

    onnx = ONNXEngine(_converted(tmp_path, signature, "FP32"), signature)

    assert onnx.predict(rows)["score"].tolist() == [1.0, 2.0]


def _stump(text: str, threshold: float) -> str:
    """One split at the threshold: 1 up to it, 2 above."""
    header = text.partition("\nTree=")[0].replace("max_feature_idx=5", "max_feature_idx=0")
    return (
        f"{header}\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold={threshold!r}\n"
        "decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=1 2\nis_linear=0\n"
        "\nend of trees\n"
    )


def test_a_tree_without_a_split_is_one_leaf() -> None:
    forest = read_forest(
        "tree\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=regression\n\nTree=0\n"
        "num_leaves=1\nnum_cat=0\nleaf_value=0.25\n\nend of trees\n"
    )

    assert [(tree.splits, tree.leaves) for tree in forest.trees] == [((), (0.25,))]


def test_a_constant_model_is_converted(tmp_path: Path) -> None:
    signature = saved(Kind("regression", (("min_data_in_leaf", 10_000),)), tmp_path)

    onnx = ONNXEngine(_converted(tmp_path, signature, "FP32"), signature)

    rows = many_rows()
    np.testing.assert_allclose(
        onnx.predict(rows)["score0"], load_model(tmp_path).predict(rows)["score0"], rtol=1e-6
    )


def test_linear_leaves_are_said_to_be_inexpressible(tmp_path: Path) -> None:
    saved(Kind("regression", (("linear_tree", True),)), tmp_path)

    found = convert(tmp_path, "FP32")

    assert found.model is None
    assert found.reason == "it cannot be converted: its leaves hold linear models"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "objective=binary",
            "objective=of_my_own",
            "no rule is known for the objective 'of_my_own'",
        ),
        ("num_leaves=", "leaves=", "cannot be read"),
        ("max_feature_idx=5", "max_feature_idx=many", "cannot be read"),
        ("left_child=", "left_child=7 ", "cannot be read"),
    ],
)
def test_what_is_not_understood_is_refused(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    signature = saved(Kind("binary"), tmp_path, 2)
    place = tmp_path / "model.txt"
    place.write_text(place.read_text().replace(before, after))

    with pytest.raises(Invalid, match=message):
        _converted(tmp_path, signature, "FP32")


def test_the_matrix_is_called_like_no_column(tmp_path: Path) -> None:
    signature = Signature(
        inputs=(Column(name="matrix", datatype="FP64"),),
        outputs=(Column(name="matrix_", datatype="FP64"),),
    )
    text = trained(Kind("regression"), 1)[0].model_to_string()
    (tmp_path / "model.txt").write_text(_stump(text, 0.5))

    onnx = ONNXEngine(_converted(tmp_path, signature, "FP64"), signature)

    assert onnx.predict({"matrix": np.array([0.0, 1.0])})["matrix_"].tolist() == [1.0, 2.0]


def test_all_classes_in_one_output(tmp_path: Path) -> None:
    kind = Kind("multiclass", (("num_class", 5),))
    signature = saved(kind, tmp_path)
    whole = Column(name="scores", datatype="FP64", shape=(5,))
    one = Signature(inputs=signature.inputs, outputs=(whole,))
    rows = many_rows()

    found = ONNXEngine(_converted(tmp_path, one, "FP32"), one).predict(rows)["scores"]

    expected = load_model(tmp_path).predict(rows)
    np.testing.assert_allclose(
        found, np.column_stack([expected[f"score{n}"] for n in range(5)]), atol=2e-6
    )


def test_one_matrix_for_input(tmp_path: Path) -> None:
    signature = saved(Kind("binary"), tmp_path)
    matrix = Column(name="input", datatype="FP64", shape=(6,), nullable=True)
    one = Signature(inputs=(matrix,), outputs=signature.outputs)
    rows = many_rows()

    found = ONNXEngine(_converted(tmp_path, one, "FP64"), one).predict(
        {"input": encode(signature, rows)}
    )

    np.testing.assert_allclose(
        found["score0"], load_model(tmp_path).predict(rows)["score0"], atol=2e-7
    )
