"""ONNX graphs that tests are made of."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper

from mainspring.core.signature import Datatype

ELEMENTS: dict[Datatype, int] = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def tensor(name: str, shape: list[Any] | None, element: int = TensorProto.FLOAT) -> Any:
    """An input or an output."""
    return helper.make_tensor_value_info(name, element, shape)


def graph(nodes: list[onnx.NodeProto], **parts: Any) -> onnx.ModelProto:
    """A model of the nodes, with `inputs`, `outputs` and `weights`."""
    made = helper.make_graph(
        nodes, "test", parts["inputs"], parts["outputs"], parts.get("weights", [])
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def identity(shape: list[Any], element: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A model that gives `x` back as `y`."""
    return graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        inputs=[tensor("x", shape, element)],
        outputs=[tensor("y", shape, element)],
    )
