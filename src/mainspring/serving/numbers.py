"""JSON of many MiB: long arrays of numbers, a piece at a time, and no more lists than can be made.

A call of the JSON library gives way to nobody: tens of MiB in one of them would keep every other
request of the process waiting, and its leader would take it for one that hangs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from mainspring.core.errors import Invalid, TooLarge
from mainspring.engines.tensor import Array

PIECE = 2**20
"""Bytes of JSON that are read in one go: some 10 ms."""
PIECE_VALUES = 2**17
MOST_CONTAINERS = 1_000_000
"""Making so many lists takes half a second, in which the process does nothing else."""
STRUCTURE = b"[],"
OTHERS = bytes(byte for byte in range(256) if byte not in STRUCTURE)
SPACES = bytes.maketrans(b"[]", b"  ")


def check_containers(raw: bytes) -> None:
    """Refuse JSON that would become more lists and objects than can be made in passing."""
    if len(raw) <= MOST_CONTAINERS:
        return
    found = raw.count(b"[") + raw.count(b"{")
    if found > MOST_CONTAINERS:
        raise TooLarge(
            f"the request has {found} lists and objects; at most {MOST_CONTAINERS} fit",
            fix="send it in several requests, or as binary tensors",
        )


def flattened(name: str, raw: bytes, shape: tuple[int, ...]) -> bytes:
    """The inside of an array of numbers, which is flat or nested as its shape says.

    Errors: `Invalid` for brackets that do not stand where the shape has them.
    """
    structure = raw.translate(None, OTHERS)
    if structure.count(b"[") > 1 and structure != _brackets(shape, len(structure)):
        raise Invalid(
            f"column {name!r}: the lists in its data are not as long as its shape {list(shape)} says",
            field=name,
        )
    # Spaces, and not nothing: two numbers that no comma parts stay two, which is refused.
    return raw.strip()[1:-1].translate(SPACES)


def pieces(inside: bytes) -> Iterator[bytes]:
    """Arrays of a part of the numbers each; a comma too many leaves one that is not valid JSON."""
    start = 0
    while start <= len(inside):
        end = inside.find(b",", start + PIECE)
        end = len(inside) if end < 0 else end
        part = inside[start:end]
        yield b"[" + (part if part.strip() else b",") + b"]"
        start = end + 1


def encoded(values: Array) -> msgspec.Raw:
    """The numbers of a flat array as JSON."""
    parts = [
        msgspec.json.encode(values[start : start + PIECE_VALUES].tolist())[1:-1]
        for start in range(0, len(values), PIECE_VALUES)
    ]
    return msgspec.Raw(b"[" + b",".join(parts) + b"]")


def _brackets(shape: tuple[int, ...], longest: int) -> bytes:
    """The brackets and commas of nested lists of that shape; nothing if they are longer."""
    if not shape or 0 in shape or math.prod(shape) > longest:
        return b""
    brackets = b""
    for size in reversed(shape):
        if (len(brackets) + 1) * size > longest:
            return b""
        brackets = b"[" + b",".join([brackets] * size) + b"]"
    return brackets
