"""ONNX models: one matrix or one input a column, nothing outside of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.engine import ModelDescription, load_model, write_description
from mainspring.engines.tensor import Tensors
from mainspring.testing.engine import EngineContract

WEIGHTS = np.array([[0.5], [-2.0], [0.25]], dtype=np.float32)
LEVELS = ("low", "high")
MATRIX = Signature(
    inputs=(
        Column(name="a", datatype="FP64"),
        Column(name="b", datatype="INT64"),
        Column(name="level", datatype="BYTES", categories=LEVELS),
    ),
    outputs=(Column(name="score", datatype="FP64"),),
)
COLUMNS = Signature(
    inputs=(Column(name="a", datatype="FP32"), Column(name="b", datatype="FP64")),
    outputs=(
        Column(name="sum", datatype="FP32"),
        Column(name="both.0", datatype="FP64"),
        Column(name="both.1", datatype="FP64"),
    ),
)


def _save(folder: Path, model: onnx.ModelProto, signature: Signature) -> Path:
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_description(
        folder, ModelDescription(engine="onnx", signature=signature, files=("model.onnx",))
    )
    return folder


def _model(nodes: list[onnx.NodeProto], **parts: Any) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "test", parts["inputs"], parts["outputs"], parts["weights"])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _float(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _weights() -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(WEIGHTS, "weights")


def _linear(weights: onnx.TensorProto, width: int = 3) -> onnx.ModelProto:
    return _model(
        [helper.make_node("MatMul", ["x", "weights"], ["score"])],
        inputs=[_float("x", ["rows", width])],
        outputs=[_float("score", ["rows", 1])],
        weights=[weights],
    )


def _by_column() -> onnx.ModelProto:
    return _model(
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Concat", ["a", "b"], ["both"], axis=1),
        ],
        inputs=[_float("a", ["rows", 1]), _float("b", ["rows", 1])],
        outputs=[_float("sum", ["rows", 1]), _float("both", ["rows", 2])],
        weights=[],
    )


class TestOneMatrix(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return _save(tmp_path, _linear(_weights()), MATRIX)

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {
            "a": np.linspace(0, 1, 10),
            "b": np.arange(10),
            "level": np.array(["low", "high"] * 5, dtype=object),
        }

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        codes = np.array([LEVELS.index(level) for level in inputs["level"]])
        return {"score": inputs["a"] * 0.5 - inputs["b"] * 2 + codes * 0.25}


class TestOneInputForEachColumn(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return _save(tmp_path, _by_column(), COLUMNS)

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {"a": np.arange(10, dtype=np.float32), "b": np.linspace(5, 6, 10)}

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        return {
            "sum": (inputs["a"] + inputs["b"]).astype(np.float32),
            "both.0": inputs["a"].astype(np.float64),
            "both.1": inputs["b"],
        }


def test_a_tensor_in_another_file_is_refused(tmp_path: Path) -> None:
    weights = _weights()
    onnx.external_data_helper.set_external_data(weights, location="../../etc/passwd")
    weights.ClearField("raw_data")

    with pytest.raises(Invalid, match="keeps tensors in other files"):
        load_model(_save(tmp_path, _linear(weights), MATRIX))


def test_a_tensor_in_another_file_is_found_inside_of_a_branch(tmp_path: Path) -> None:
    weights = _weights()
    onnx.external_data_helper.set_external_data(weights, location="weights.bin")
    weights.ClearField("raw_data")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value=weights)],
        "branch",
        [],
        [_float("y", [3, 1])],
    )
    flag = onnx.numpy_helper.from_array(np.array([True]), "flag")
    model = _model(
        [
            helper.make_node("If", ["flag"], ["weights"], then_branch=branch, else_branch=branch),
            helper.make_node("MatMul", ["x", "weights"], ["score"]),
        ],
        inputs=[_float("x", ["rows", 3])],
        outputs=[_float("score", ["rows", 1])],
        weights=[flag],
    )

    with pytest.raises(Invalid, match="keeps tensors in other files"):
        load_model(_save(tmp_path, model, MATRIX))


def test_a_column_named_location_is_no_outside_reference(tmp_path: Path) -> None:
    signature = Signature(
        inputs=(Column(name="location", datatype="FP32"), Column(name="b", datatype="FP32")),
        outputs=(Column(name="sum", datatype="FP32"),),
    )
    model = _model(
        [helper.make_node("Add", ["location", "b"], ["sum"])],
        inputs=[_float("location", ["rows"]), _float("b", ["rows"])],
        outputs=[_float("sum", ["rows"])],
        weights=[],
    )
    row = {name: np.array([2], dtype=np.float32) for name in ("location", "b")}

    assert load_model(_save(tmp_path, model, signature)).predict(row)["sum"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("model", "signature", "message"),
    [
        (_linear(_weights(), width=4), MATRIX, "cannot be loaded|is wanted"),
        (_by_column(), MATRIX, "takes 'a', 'b'; wanted is one float matrix"),
        (
            _linear(_weights()),
            Signature(inputs=MATRIX.inputs, outputs=(Column(name="other", datatype="FP64"),)),
            "no output 'other'; it has score",
        ),
        (
            _by_column(),
            Signature(inputs=COLUMNS.inputs, outputs=(Column(name="both", datatype="FP64"),)),
            "'both' has 2 columns",
        ),
        (
            _by_column(),
            Signature(inputs=COLUMNS.inputs, outputs=(Column(name="both.2", datatype="FP64"),)),
            "'both' has 2 columns",
        ),
        (
            _by_column(),
            Signature(
                inputs=(COLUMNS.inputs[0], Column(name="b", datatype="BYTES")),
                outputs=COLUMNS.outputs,
            ),
            r"takes tensor\(float\) for the BYTES column 'b'",
        ),
    ],
)
def test_a_model_that_does_not_fit_its_signature_is_refused(
    tmp_path: Path, model: onnx.ModelProto, signature: Signature, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        load_model(_save(tmp_path, model, signature))


@pytest.mark.parametrize(
    "content", [b"", b"hello there", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    _save(tmp_path, _linear(_weights()), MATRIX)
    (tmp_path / "model.onnx").write_bytes(content)

    with pytest.raises(Invalid):
        load_model(tmp_path)
