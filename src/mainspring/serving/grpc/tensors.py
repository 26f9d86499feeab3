"""Requests to tensors and tensors to answers, in the messages of the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Datatype
from mainspring.engines.tensor import Array, Tensors, told_as
from mainspring.serving.bodies import not_shared
from mainspring.serving.columns import ColumnReader, to_bytes
from mainspring.serving.fleet import ServedModel
from mainspring.serving.grpc.messages import ModelInferResponse
from mainspring.serving.inference import About, InferRequest
from mainspring.serving.protocol import NONE, chosen, timeout_of
from mainspring.serving.reserved import REQUEST_ID

CONTENTS: dict[str, str] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field that holds the elements of each datatype; FP16 and BF16 have none."""
TURNS = 16
"""grpc.aio takes one call a turn: in fewer, requests that came together would not meet."""


def decode(served: ServedModel, message: Any, about: About) -> InferRequest:
    """Check a ModelInferRequest; its answer is raw where its inputs are."""
    codec, tensors, raw = served.codec, message.inputs, message.raw_input_contents
    if raw and len(raw) != len(tensors):
        raise _uneven(tensors, raw)
    columns: Tensors = {}
    for place, tensor in enumerate(tensors):
        name, datatype = tensor.name, tensor.datatype
        reader = codec.reader(name, datatype)
        if name in columns:
            raise Invalid(f"the input {name!r} is given twice", field=name)
        shape = reader.check(datatype, list(tensor.shape))
        if not raw:
            columns[name] = _elements(reader, tensor, shape)
        elif tensor.HasField("contents") and tensor.contents.ListFields():
            raise Invalid(
                f"input {name!r} has contents, and the request raw_input_contents; one of the two "
                "is wanted for all inputs",
                field=name,
            )
        else:
            columns[name] = reader.from_bytes(raw[place], shape)
    about.id = message.id or None
    if message.parameters:
        _read_timeout(message.parameters, about)
    outputs = codec.wanted(_names(message.outputs)) if message.outputs else ()
    request = codec.request(columns, about, outputs)
    request.binary, request.turns = None if raw else NONE, TURNS
    return request


def encode(served: ServedModel, request: InferRequest, outputs: Tensors) -> bytes:
    """A ModelInferResponse; called from any thread."""
    names, source = chosen(request, outputs), served.source
    if REQUEST_ID in names:
        outputs = {**outputs, REQUEST_ID: np.array(request.ids(), dtype=object)}
    answer = ModelInferResponse(model_name=source.name, model_version=source.version, id=request.id)
    given = [(name, outputs[name], told_as(outputs[name])) for name in names]
    raw = request.binary is None or any(datatype not in CONTENTS for _, _, datatype in given)
    for name, values, datatype in given:
        tensor = answer.outputs.add(name=name, datatype=datatype, shape=values.shape)
        if raw:
            answer.raw_output_contents.append(to_bytes(values))
        else:
            _fill(tensor, values, datatype)
    body: bytes = answer.SerializeToString()
    return body


def _elements(reader: ColumnReader, tensor: Any, shape: tuple[int, ...]) -> Array:
    wanted, fields = CONTENTS.get(tensor.datatype), tensor.contents.ListFields()
    if not fields:
        _refuse_shared("input", tensor)
    if wanted is None:
        raise Invalid(
            f"input {tensor.name!r} is {tensor.datatype}, which has no typed contents",
            field=tensor.name,
            fix="send all inputs in raw_input_contents",
        )
    for field, _ in fields:
        if field.name != wanted:
            raise Invalid(
                f"input {tensor.name!r} has {field.name}; {tensor.datatype} is given in {wanted}",
                field=tensor.name,
            )
    return reader.from_elements(list(getattr(tensor.contents, wanted)), shape)


def _uneven(tensors: Any, raw: Any) -> Invalid:
    for tensor in tensors:
        _refuse_shared("input", tensor)
    return Invalid(
        f"the request has {len(tensors)} inputs and {len(raw)} raw_input_contents; one for "
        "each input is wanted",
        field="raw_input_contents",
    )


def _names(outputs: Any) -> list[str]:
    names: list[str] = []
    for each in outputs:
        if each.parameters:
            _refuse_shared("output", each)
        names.append(each.name)
    return names


def _refuse_shared(kind: str, tensor: Any) -> None:
    if "shared_memory_region" in tensor.parameters:
        raise not_shared(kind, tensor.name)


def _fill(tensor: Any, values: Array, datatype: Datatype) -> None:
    elements: list[Any] = (values if values.ndim == 1 else values.ravel()).tolist()
    if datatype == "BYTES":
        elements = [_octets(value) for value in elements]
    getattr(tensor.contents, CONTENTS[datatype]).extend(elements)


def _octets(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str("" if value is None else value).encode()


def _read_timeout(parameters: Any, about: About) -> None:
    """The shorter of the caller's deadline and the parameter `timeout`, in microseconds."""
    if "timeout" not in parameters:
        return
    given = parameters["timeout"]
    kind = given.WhichOneof("parameter_choice")
    timeout = timeout_of(getattr(given, kind) if kind else None)
    about.timeout_us = timeout if about.timeout_us is None else min(timeout, about.timeout_us)
