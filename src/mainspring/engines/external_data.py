"""Whether an ONNX file points at other files: such a path could read anything on the machine.

Walks the protobuf wire format, so that neither the `onnx` package nor a search for telling bytes
(which odd encodings slip past) is needed. The numbers are the field numbers of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.core.errors import Invalid

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
DEEPEST = 64


def locations(model: bytes) -> list[str]:
    """The other files that tensors in the model keep their data in, each once; "" for one unnamed."""
    return list(dict.fromkeys(_locations(memoryview(model), "model", 0)))


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise Invalid(f"the ONNX model nests deeper than {DEEPEST} levels")
    if kind == "tensor":
        yield from _tensor_locations(message)
        return
    children = CHILDREN[kind]
    for number, value in _fields(message):
        if number in children and isinstance(value, memoryview):
            yield from _locations(value, children[number], depth + 1)


def _tensor_locations(tensor: memoryview) -> Iterator[str]:
    elsewhere = False
    names = []
    for number, value in _fields(tensor):
        if number == EXTERNAL_DATA and isinstance(value, memoryview):
            entry = {
                key: bytes(part) for key, part in _fields(value) if isinstance(part, memoryview)
            }
            elsewhere = True
            if entry.get(1) == b"location":
                names.append(entry.get(2, b"").decode(errors="replace"))
        elif number == EXTERNAL_DATA or (number == DATA_LOCATION and value == 1):
            elsewhere = True
    if elsewhere:
        yield from names or [""]


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The field numbers of one message, with a number or the bytes of each."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise Invalid(f"the ONNX model is damaged: wire type {wire}")
        if at + size > end:
            raise Invalid("the ONNX model is damaged: it ends in the middle of a field")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise Invalid("the ONNX model is damaged: a number does not end")
