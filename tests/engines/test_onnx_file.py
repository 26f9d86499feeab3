"""An ONNX file without a description says itself what it takes and gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype
from mainspring.engines.engine import LoadedModel
from mainspring.engines.source import load_source
from mainspring.engines.tensor import Array, Tensors
from mainspring.testing.engine import EngineContract
from tests.engines.graphs import ELEMENTS, graph, identity, tensor

DATA = np.asarray(load_iris().data, dtype=np.float32)[::7]


def _load(model: onnx.ModelProto, folder: Path) -> LoadedModel:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return load_source(str(path))


def _classifier() -> LogisticRegression:
    data, target = load_iris(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(data, target)


class TestConvertedClassifier(EngineContract):
    datatypes = tuple(ELEMENTS)

    def model_of(self, datatype: Datatype, folder: Path) -> LoadedModel:
        return _load(identity(["rows", 2], ELEMENTS[datatype]), folder)

    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        return _load(to_onnx(_classifier(), DATA[:1], options={"zipmap": False}), tmp_path)

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {"X": DATA.copy()}

    @pytest.fixture
    def expected(self) -> Tensors:
        model = _classifier()
        return {
            "label": model.predict(DATA),
            "probabilities": model.predict_proba(DATA).astype(np.float32),
        }


class TestTextAndNumbers(EngineContract):
    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        made = graph(
            [
                helper.make_node("Identity", ["words"], ["same"]),
                helper.make_node("Add", ["a", "b"], ["sum"]),
            ],
            inputs=[
                tensor("words", ["rows", 2], TensorProto.STRING),
                tensor("a", ["rows"], TensorProto.INT64),
                tensor("b", ["rows"], TensorProto.INT64),
            ],
            outputs=[
                tensor("same", ["rows", 2], TensorProto.STRING),
                tensor("sum", ["rows"], TensorProto.INT64),
            ],
        )
        return _load(made, tmp_path)

    @pytest.fixture
    def inputs(self) -> Tensors:
        words = np.array([[f"é{row}", ""] for row in range(10)], dtype=object)
        return {"words": words, "a": np.arange(10), "b": np.arange(10) * 2}

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        return {"same": inputs["words"].copy(), "sum": inputs["a"] * 3}


def test_the_signature_is_that_of_the_file(tmp_path: Path) -> None:
    model = _load(identity(["rows", 3, "free"], TensorProto.FLOAT16), tmp_path)

    (column,) = model.signature.inputs
    assert column == Column(name="x", datatype="FP16", shape=(3, -1), nullable=True)
    assert [one.name for one in model.signature.outputs] == ["y"]
    assert (model.batching, model.rows) == (True, None)


def test_a_fixed_number_of_rows_is_kept_and_nothing_is_batched(tmp_path: Path) -> None:
    model = _load(identity([4, 2]), tmp_path)
    four = np.arange(8, dtype=np.float32).reshape(4, 2)

    found = model.predict({"x": four})

    np.testing.assert_array_equal(found["y"], four)
    assert (model.batching, model.rows) == (False, 4)
    with pytest.raises(Invalid, match="takes 4 rows a call; these are 3"):
        model.predict({"x": four[:3]})


def test_a_model_that_sums_up_its_rows_is_not_batched_and_has_to_answer_row_by_row(
    tmp_path: Path,
) -> None:
    made = graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
        inputs=[tensor("x", ["rows", 2])],
        outputs=[tensor("y", [1, 2])],
        weights=[onnx.numpy_helper.from_array(np.array([0]), "axes")],
    )
    model = _load(made, tmp_path)

    assert not model.batching
    assert model.predict({"x": np.ones((1, 2), dtype=np.float32)})["y"].tolist() == [[1, 1]]
    with pytest.raises(RuntimeError, match=r"'y' has the shape \[1, 2\] for 3 rows"):
        model.predict({"x": np.ones((3, 2), dtype=np.float32)})


def test_missing_numbers_are_left_to_the_model(tmp_path: Path) -> None:
    model = _load(identity(["rows", 2]), tmp_path)
    row = np.array([[np.nan, 1]], dtype=np.float32)

    np.testing.assert_array_equal(model.predict({"x": row})["y"], row)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(16, dtype=np.float32).reshape(4, 4)[:, ::2],
        np.arange(8, dtype=np.float32).reshape(2, 4).T[:, :2],
        np.frombuffer(np.arange(8, dtype=np.float32).tobytes(), dtype=np.float32).reshape(4, 2),
    ],
    ids=["strided", "transposed", "read-only"],
)
def test_an_array_may_lie_in_memory_as_it_likes(tmp_path: Path, values: Array) -> None:
    model = _load(identity(["rows", 2]), tmp_path)

    np.testing.assert_array_equal(model.predict({"x": values})["y"], values)


def test_what_the_graph_has_no_answer_to_is_the_callers_error(tmp_path: Path) -> None:
    made = graph(
        [helper.make_node("Gather", ["table", "place"], ["y"])],
        inputs=[tensor("place", ["rows"], TensorProto.INT64)],
        outputs=[tensor("y", ["rows"])],
        weights=[onnx.numpy_helper.from_array(np.array([5, 6], dtype=np.float32), "table")],
    )
    model = _load(made, tmp_path)

    assert model.predict({"place": np.array([1, 0])})["y"].tolist() == [6, 5]
    with pytest.raises(Invalid, match=r"refuses the inputs.*out of"):
        model.predict({"place": np.array([1, 7])})


def _with_zipmap() -> onnx.ModelProto:
    made: onnx.ModelProto = to_onnx(_classifier(), DATA[:1], options={"zipmap": True})
    return made


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_with_zipmap(), "'output_probability' is a seq"),
        (identity([]), "'x' is a scalar"),
        (identity(["rows"], TensorProto.BFLOAT16), r"'x' is a tensor\(bfloat16\)"),
        (
            graph(
                [helper.make_node("Identity", ["w"], ["y"])],
                inputs=[],
                outputs=[tensor("y", [1])],
                weights=[onnx.numpy_helper.from_array(np.ones(1, dtype=np.float32), "w")],
            ),
            "has no inputs",
        ),
        (
            graph(
                [helper.make_node("MatMul", ["a", "b"], ["y"])],
                inputs=[tensor("a", [2, 3]), tensor("b", [3, 2])],
                outputs=[tensor("y", [2, 2])],
            ),
            "different numbers of rows: 'a' has 2, 'b' has 3",
        ),
        (
            graph(
                [helper.make_node("Identity", ["mainspring.x"], ["y"])],
                inputs=[tensor("mainspring.x", ["rows"])],
                outputs=[tensor("y", ["rows"])],
            ),
            "empty or reserved",
        ),
    ],
    ids=["zipmap", "scalar", "bfloat16", "no inputs", "rows", "reserved"],
)
def test_what_the_protocol_cannot_say_is_refused(
    tmp_path: Path, model: onnx.ModelProto, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        _load(model, tmp_path)


def test_a_map_names_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        _load(_with_zipmap(), tmp_path)

    assert refusal.value.fix == "convert with zipmap switched off"


@pytest.mark.parametrize("content", [b"", b"hello there", b"\x3a\xff\xff\xff\xff\x0f", b"\0" * 50])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)

    with pytest.raises(Invalid):
        load_source(str(tmp_path / "model.onnx"))
