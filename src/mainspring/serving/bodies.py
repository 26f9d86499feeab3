"""The body of an inference request over HTTP: JSON, and the bytes that may follow it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.errors import Invalid, TooLarge

MOST_TENSORS = 10_000
LONGEST_NAME = 1_000

Scalar = str | int | float | bool | None


class Parameters(msgspec.Struct):
    """Those that are heard here; the others are passed over without being kept."""

    timeout: Scalar | msgspec.UnsetType = msgspec.UNSET
    binary_data_output: Scalar = False
    binary_data: Scalar | msgspec.UnsetType = msgspec.UNSET
    binary_data_size: Scalar = None
    shared_memory_region: Scalar = None
    """Heard to be refused: its caller would read what nobody wrote."""


class TensorHead(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
    shape: list[int]
    datatype: Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: Parameters | None = None


class OutputHead(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: Parameters | None = None


class Infer(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[TensorHead]
    model_name: str | None = None
    """The path decides; some senders say it again here."""
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[OutputHead] | None = None


class _Passed(msgspec.Struct, gc=False):
    """An object of which nothing is kept."""


class _Count(msgspec.Struct):
    inputs: list[_Passed]
    outputs: list[_Passed] | None = None


_count = msgspec.json.Decoder(_Count).decode


def check_count(head: bytes) -> None:
    """Refuse more tensors than any model has, before each of them is read."""
    found = _count(head)
    for name, tensors in (("inputs", found.inputs), ("outputs", found.outputs or [])):
        if len(tensors) > MOST_TENSORS:
            raise TooLarge(
                f"the request has {len(tensors)} {name}; at most {MOST_TENSORS} fit", field=name
            )


def parted(body: bytes, header: int) -> tuple[bytes, bytes]:
    if header > len(body):
        raise Invalid(
            f"Inference-Header-Content-Length is {header}, but the body has {len(body)} bytes"
        )
    return body[:header], body[header:]


def binary_size(tensor: TensorHead, tail: bytes | None, start: int) -> int | None:
    """How many bytes of the tail are this tensor's; None if its values are in the JSON."""
    size = tensor.parameters.binary_data_size if tensor.parameters else None
    name = tensor.name
    if size is None:
        if tensor.parameters and tensor.parameters.shared_memory_region is not None:
            raise not_shared("input", name)
        return None
    if type(size) is not int or size < 0:
        raise Invalid(f"input {name!r}: binary_data_size is {size!r}, not a number of bytes")
    if tensor.data is not msgspec.UNSET:
        raise Invalid(f"input {name!r} has data and a binary_data_size; one is wanted", field=name)
    if tail is None:
        raise Invalid(
            f"input {name!r} is binary, but nothing says where the JSON ends",
            field=name,
            fix="send the length of the JSON as the header Inference-Header-Content-Length",
        )
    if start + size > len(tail):
        raise Invalid(
            f"input {name!r} has a binary_data_size of {size}; {len(tail) - start} bytes are left",
            field=name,
        )
    return size


def is_binary(output: OutputHead, *, default: bool) -> bool:
    if output.parameters is None:
        return default
    if output.parameters.shared_memory_region is not None:
        raise not_shared("output", output.name)
    if output.parameters.binary_data is msgspec.UNSET:
        return default
    return flag_of("binary_data", output.parameters.binary_data)


def flag_of(name: str, flag: object) -> bool:
    if not isinstance(flag, bool):
        raise Invalid(f"the parameter {name!r} is {flag!r}; true or false is wanted", field=name)
    return flag


def not_shared(kind: str, name: str) -> Invalid:
    """The error for a tensor that is not in the request, or not wanted in the answer."""
    return Invalid(
        f"{kind} {name!r} is meant to be in shared memory, which is not offered",
        field=name,
        fix="send it in the request, and take it from the answer",
    )
