"""MLflow's model folders, written by hand as MLflow writes them, read without it."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import yaml
from onnx import TensorProto, helper
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from mainspring.core.errors import Invalid, NotFound, TooLarge
from mainspring.core.signature import Column
from mainspring.engines.source import load_source
from tests.engines.graphs import graph, tensor

DATA, TARGET = load_diabetes(return_X_y=True)
DATA = DATA[:, :3]


def _mlmodel(folder: Path, flavours: dict[str, Any], inputs: object = None) -> str:
    said: dict[str, Any] = {"flavors": flavours, "model_uuid": "a" * 32, "utc_time_created": "now"}
    if inputs is not None:
        outputs = '[{"type": "double", "required": true}]'
        said["signature"] = {"inputs": json.dumps(inputs), "outputs": outputs, "params": None}
    (folder / "MLmodel").write_text(yaml.safe_dump(said))
    return str(folder)


def _sklearn(file: str) -> dict[str, Any]:
    return {
        "python_function": {"loader_module": "mlflow.sklearn", "model_path": file},
        "sklearn": {"code": None, "pickled_model": file, "serialization_format": "skops"},
    }


def _doubles(*names: str) -> list[dict[str, Any]]:
    return [{"type": "double", "name": name, "required": True} for name in names]


def test_an_estimator_is_read_with_the_columns_of_its_signature(tmp_path: Path) -> None:
    fitted = LinearRegression().fit(pd.DataFrame(DATA, columns=list("abc")), TARGET)
    skops.io.dump(fitted, tmp_path / "model.skops")
    model = load_source(_mlmodel(tmp_path, _sklearn("model.skops"), _doubles("a", "b", "c")))

    found = model.predict(dict(zip("abc", DATA.T, strict=True)))

    assert model.signature.inputs == tuple(
        Column(name=name, datatype="FP64", nullable=True) for name in "abc"
    )
    np.testing.assert_array_equal(
        found["predict"], fitted.predict(pd.DataFrame(DATA, columns=list("abc")))
    )


def test_an_estimator_is_read_with_the_tensor_of_its_signature(tmp_path: Path) -> None:
    fitted = LinearRegression().fit(DATA.astype(np.float32), TARGET)
    skops.io.dump(fitted, tmp_path / "model.skops")
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}
    model = load_source(_mlmodel(tmp_path, _sklearn("model.skops"), [spec]))

    found = model.predict({"input": DATA.astype(np.float32)})

    assert model.signature.inputs == (
        Column(name="input", datatype="FP32", shape=(3,), nullable=True),
    )
    np.testing.assert_array_equal(found["predict"], fitted.predict(DATA.astype(np.float32)))


def test_an_estimator_without_a_signature_says_it_itself(tmp_path: Path) -> None:
    skops.io.dump(LinearRegression().fit(DATA, TARGET), tmp_path / "model.skops")

    model = load_source(_mlmodel(tmp_path, _sklearn("model.skops")))

    assert model.signature.inputs == (Column(name="input", datatype="FP64", shape=(3,)),)


@pytest.mark.parametrize("flavours", ["both", "python_function"])
def test_a_pickle_is_read_only_where_code_is_allowed(tmp_path: Path, flavours: str) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(DATA, TARGET)))
    said = _sklearn("model.pkl")
    kept = said if flavours == "both" else {flavours: said[flavours]}
    source = _mlmodel(tmp_path, kept)

    with pytest.raises(Invalid, match=r"the pickle model\.pkl may hold code"):
        load_source(source)

    assert load_source(source, allow_code=True).predict({"input": DATA})["predict"].shape == (442,)


def test_modules_that_were_saved_beside_a_pickle_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = tmp_path / "code"
    code.mkdir()
    (code / "beside_it.py").write_text(
        "class Twice:\n"
        "    n_features_in_ = 3\n"
        "    def get_params(self, deep=True): return {}\n"
        "    def predict(self, rows): return rows.sum(axis=1) * 2\n"
    )
    (tmp_path / "model.pkl").write_bytes(b"cbeside_it\nTwice\n)R.")
    said = _sklearn("model.pkl")
    said["sklearn"]["code"] = "code"

    model = load_source(_mlmodel(tmp_path, said), allow_code=True)

    np.testing.assert_array_equal(model.predict({"input": DATA})["predict"], DATA.sum(axis=1) * 2)


def _booster() -> lightgbm.Booster:
    return lightgbm.train({"verbosity": -1}, lightgbm.Dataset(DATA, TARGET), num_boost_round=3)


def test_a_booster_is_read_through_the_c_library(tmp_path: Path) -> None:
    booster = _booster()
    booster.save_model(tmp_path / "model.lgb")
    said = {"lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"}}

    named = load_source(_mlmodel(tmp_path, said, _doubles("a", "b", "c")))
    bare = load_source(_mlmodel(tmp_path, said))

    wanted = booster.predict(DATA)
    np.testing.assert_array_equal(
        named.predict(dict(zip("abc", DATA.T, strict=True)))["score"], wanted
    )
    np.testing.assert_array_equal(bare.predict({"input": DATA})["score"], wanted)


def _linear(folder: Path, place: str | None = None) -> dict[str, Any]:
    """A matrix product, whose weights may lie in a file of their own."""
    weights = onnx.numpy_helper.from_array(np.array([[1], [2], [3]], dtype=np.float32), "w")
    made = graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        inputs=[tensor("x", ["rows", 3])],
        outputs=[tensor("y", ["rows", 1])],
        weights=[weights],
    )
    if place is not None:
        (folder / place).resolve().write_bytes(weights.raw_data)
        onnx.external_data_helper.set_external_data(made.graph.initializer[0], location=place)
        made.graph.initializer[0].ClearField("raw_data")
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return {"onnx": {"data": "model.onnx", "onnx_version": "1.20", "providers": ["CUDA"]}}


@pytest.mark.parametrize("place", ["weights.bin", None])
def test_an_onnx_model_may_keep_its_weights_beside_it(tmp_path: Path, place: str | None) -> None:
    model = load_source(_mlmodel(tmp_path, _linear(tmp_path, place)))

    found = model.predict({"x": np.array([[1, 1, 1], [1, 0, 0]], dtype=np.float32)})

    assert found["y"].tolist() == [[6], [1]]


def test_an_onnx_model_takes_the_columns_of_its_signature_as_one_matrix(tmp_path: Path) -> None:
    model = load_source(_mlmodel(tmp_path, _linear(tmp_path), _doubles("a", "b", "c")))

    found = model.predict({name: np.array([1.0, 2.0]) for name in "abc"})

    assert found["y"].tolist() == [[6], [12]]


def test_an_onnx_model_of_columns_takes_one_value_a_row(tmp_path: Path) -> None:
    made = graph(
        [helper.make_node("Identity", [name], [f"same_{name}"]) for name in ("a", "word")],
        inputs=[tensor("a", ["n", 1]), tensor("word", ["n", 1], TensorProto.STRING)],
        outputs=[tensor("same_a", ["n", 1]), tensor("same_word", ["n", 1], TensorProto.STRING)],
    )
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    inputs = [*_doubles("a"), {"type": "string", "name": "word", "required": True}]
    model = load_source(_mlmodel(tmp_path, {"onnx": {"data": "model.onnx"}}, inputs))

    found = model.predict({"a": np.array([1.0, 2.0]), "word": np.array(["x", "y"], dtype=object)})

    assert [column.shape for column in model.signature.inputs] == [(), ()]
    assert found["same_a"].tolist() == [[1], [2]]
    assert found["same_word"].tolist() == [["x"], ["y"]]


@pytest.mark.parametrize("place", ["../weights.bin", "link.bin"])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")

    with pytest.raises(Invalid, match="outside of its folder"):
        load_source(_mlmodel(folder, _linear(folder, place)))


@pytest.mark.parametrize("place", ["../model.skops", "/etc/passwd", "link.skops", "a\0b", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    skops.io.dump(LinearRegression().fit(DATA, TARGET), tmp_path / "model.skops")
    (folder / "link.skops").symlink_to(tmp_path / "model.skops")

    with pytest.raises(Invalid):
        load_source(_mlmodel(folder, _sklearn(place)))


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"MLmodel names 'model\.skops', which is not there"):
        load_source(_mlmodel(tmp_path, _sklearn("model.skops")))


@pytest.mark.parametrize(
    ("flavours", "message"),
    [
        ({}, "has the flavours none; served are sklearn, lightgbm, onnx"),
        ({"pytorch": {"data": "x"}}, "has the flavours 'pytorch'"),
        (
            {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "x.pkl"}},
            "with the loader 'mlflow.pyfunc.model'",
        ),
        ({"sklearn": {}}, "the flavour 'sklearn' names no file"),
        ({"onnx": {"data": ["a"]}}, "the flavour 'onnx' names no file"),
    ],
)
def test_a_flavour_that_is_not_served_is_refused(
    tmp_path: Path, flavours: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        load_source(_mlmodel(tmp_path, flavours), allow_code=True)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("no list", "the signature's inputs"),
        ([{"name": "a"}], "missing required field `type`"),
        ([{"type": "datetime", "name": "a"}], "column 'a' is of the type 'datetime'"),
        ([{"type": "array", "items": {"type": "double"}, "name": "a"}], "the type 'array'"),
        (_doubles("a", "a"), "name 'a' 2 times"),
        (
            [{"type": "tensor", "tensor-spec": {"dtype": "complex64", "shape": [-1, 3]}}],
            "the tensor 'input' is complex64",
        ),
        (
            [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": []}}],
            r"with the shape \[\]",
        ),
        (_doubles("a", "b"), "takes 3 features, its signature has 2"),
    ],
)
def test_a_signature_that_no_engine_can_honour_is_refused(
    tmp_path: Path, inputs: object, message: str
) -> None:
    skops.io.dump(LinearRegression().fit(DATA, TARGET), tmp_path / "model.skops")

    with pytest.raises(Invalid, match=message):
        load_source(_mlmodel(tmp_path, _sklearn("model.skops"), inputs))


def test_a_tensor_of_a_fixed_number_of_rows_is_taken_alone(tmp_path: Path) -> None:
    skops.io.dump(LinearRegression().fit(DATA, TARGET), tmp_path / "model.skops")
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [2, 3]}}

    model = load_source(_mlmodel(tmp_path, _sklearn("model.skops"), [spec]))

    assert (model.rows, model.batching) == (2, False)
    assert model.predict({"input": DATA[:2]})["predict"].shape == (2,)


def test_columns_may_be_missing_where_mlflow_lets_them(tmp_path: Path) -> None:
    inputs = [
        {"type": "long", "name": "a", "required": False},
        {"type": "long", "name": "b", "required": True},
        {"type": "float", "name": "c", "required": True},
    ]
    skops.io.dump(LinearRegression().fit(DATA, TARGET), tmp_path / "model.skops")

    model = load_source(_mlmodel(tmp_path, _sklearn("model.skops"), inputs))

    assert [(column.datatype, column.nullable) for column in model.signature.inputs] == [
        ("FP64", True),
        ("INT64", False),
        ("FP32", True),
    ]


BOMB = "b0: &b0 {a: x}\n" + "\n".join(
    f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}" for n in range(1, 40)
)
"""Merging these mappings would take 2^39 steps."""


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", Invalid, "names no flavours"),
        (b"- a\n- b\n", Invalid, "names no flavours"),
        (b"flavors: 3\n", Invalid, "names no flavours"),
        (b"flavors: {sklearn: 3}\n", Invalid, "has the flavours none"),
        (b"a: [\n", Invalid, "not valid YAML"),
        (b"\xff\xfe\xff", Invalid, "not valid YAML"),
        (b"[" * 50_000, Invalid, "not valid YAML"),
        (b"{[a]: b}: c\n", Invalid, "not valid YAML"),
        (b"flavors: !!python/object/apply:os.system ['true']\n", Invalid, "names no flavours"),
        (BOMB.encode(), Invalid, "names no flavours"),
        (b"#" * (2**20 + 1), TooLarge, "has 1048577 bytes; 1048576 are read"),
    ],
    ids=[
        "empty",
        "list",
        "number",
        "flavour",
        "torn",
        "bytes",
        "deep",
        "keys",
        "tag",
        "bomb",
        "huge",
    ],
)
def test_a_damaged_description_is_refused(
    tmp_path: Path, content: bytes, kind: type[Exception], message: str
) -> None:
    (tmp_path / "MLmodel").write_bytes(content)

    with pytest.raises(kind, match=message):
        load_source(str(tmp_path))
