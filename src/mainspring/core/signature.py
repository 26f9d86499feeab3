"""What a model takes and gives: named, typed columns. Known to every stage, needs no numpy."""

from __future__ import annotations

from typing import Literal

import msgspec

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "BF16",
    "FP32",
    "FP64",
    "BYTES",
]
"""The Open Inference Protocol datatypes that a column may have; BYTES is UTF-8 text."""


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named column: one value a row, or one array of values a row.

    >>> ms.Column(name="x", datatype="FP64").nullable
    False
    """

    name: str
    datatype: Datatype
    nullable: bool = False
    """Whether a row may lack the value (NaN, or JSON null)."""
    categories: tuple[str, ...] = ()
    """The levels of a categorical column as the model learnt them, in the order of their codes."""
    shape: tuple[int, ...] = ()
    """What a row holds: () is one value, (30,) is 30 values; -1 is any number."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The columns a model takes, in its order, and the columns it gives.

    >>> score = ms.Column(name="score", datatype="FP64")
    >>> ms.Signature(inputs=(ms.Column(name="x", datatype="FP64"),), outputs=(score,)).inputs[0].name
    'x'
    """

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
