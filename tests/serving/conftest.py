"""Small real models, trained once, and one data plane a module that nobody disturbs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.datasets import load_breast_cancer

from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines import lightgbm as engine
from mainspring.engines.encoding import encode
from mainspring.engines.engine import ModelDescription, write_description
from mainspring.engines.tensor import Tensors

from .data_plane import Plane, served

SIZES = ("small", "large")
SIGNATURE = Signature(
    inputs=(
        Column(name="radius", datatype="FP64", nullable=True),
        Column(name="texture", datatype="FP32"),
        Column(name="area", datatype="INT64"),
        Column(name="smooth", datatype="BOOL"),
        Column(name="size", datatype="BYTES", nullable=True, categories=SIZES),
    ),
    outputs=(Column(name="score", datatype="FP64"),),
)


def _train(folder: Path, rounds: int) -> Path:
    data, target = load_breast_cancer(return_X_y=True)
    inputs: Tensors = {
        "radius": data[:, 0],
        "texture": data[:, 1].astype(np.float32),
        "area": data[:, 3].astype(np.int64),
        "smooth": data[:, 4] < 0.1,
        "size": np.array([SIZES[int(area > 600)] for area in data[:, 3]], dtype=object),
    }
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(encode(SIGNATURE, inputs), target),
        num_boost_round=rounds,
    )
    engine.save(booster.model_to_string(), folder, SIGNATURE)
    return folder


@pytest.fixture(scope="session")
def first_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(tmp_path_factory.mktemp("first"), 5)


@pytest.fixture(scope="session")
def second_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(tmp_path_factory.mktemp("second"), 15)


@pytest.fixture(scope="session")
def brittle_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fails at call time for an index beyond 1; its second value is infinite."""
    folder = tmp_path_factory.mktemp("brittle")
    table = onnx.numpy_helper.from_array(np.array([1, np.inf], dtype=np.float64), "table")
    graph = helper.make_graph(
        [helper.make_node("GatherElements", ["table", "index"], ["value"])],
        "brittle",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["rows"])],
        [helper.make_tensor_value_info("value", TensorProto.DOUBLE, ["rows"])],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    signature = Signature(
        inputs=(Column(name="index", datatype="INT64"),),
        outputs=(Column(name="value", datatype="FP64"),),
    )
    write_description(
        folder, ModelDescription(engine="onnx", signature=signature, files=("model.onnx",))
    )
    return folder


ECHOED: dict[str, tuple[Datatype, int]] = {
    "flag": ("BOOL", TensorProto.BOOL),
    "count": ("INT64", TensorProto.INT64),
    "small": ("FP32", TensorProto.FLOAT),
    "big": ("FP64", TensorProto.DOUBLE),
    "word": ("BYTES", TensorProto.STRING),
}


@pytest.fixture(scope="session")
def echo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers every input as it came, under the name `same_` and its own."""
    folder = tmp_path_factory.mktemp("echo")
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], [f"same_{name}"]) for name in ECHOED],
        "echo",
        [helper.make_tensor_value_info(name, kind, ["n"]) for name, (_, kind) in ECHOED.items()],
        [
            helper.make_tensor_value_info(f"same_{name}", kind, ["n"])
            for name, (_, kind) in ECHOED.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    inputs = tuple(
        Column(name=name, datatype=datatype, nullable=name == "big")
        for name, (datatype, _) in ECHOED.items()
    )
    outputs = tuple(
        Column(name=f"same_{name}", datatype=datatype) for name, (datatype, _) in ECHOED.items()
    )
    write_description(
        folder,
        ModelDescription(
            engine="onnx",
            signature=Signature(inputs=inputs, outputs=outputs),
            files=("model.onnx",),
        ),
    )
    return folder


@pytest.fixture(scope="module")
def plane(
    tmp_path_factory: pytest.TempPathFactory,
    first_model: Path,
    second_model: Path,
    brittle_model: Path,
    echo_model: Path,
) -> Iterator[Plane]:
    models = [
        served(first_model, "1"),
        served(second_model, "2"),
        served(brittle_model, "1", "brittle"),
        served(echo_model, "1", "echo"),
    ]
    with Plane(tmp_path_factory.mktemp("plane"), models) as plane:
        yield plane
