"""What a Python model says about itself: `inputs`, `outputs`, `batching`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.tensor import check_columns


class DeclaredTensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tensor as the protocol's metadata writes it: its shape has the rows first."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] = (-1,)
    nullable: bool = False
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of a model from its attributes."""

    signature: Signature
    rows: int | None
    batching: bool


def declared(model: Any, name: str) -> Declared:
    """Read the attributes; a model that declares no inputs takes any tensors, one request a call."""
    inputs, rows = _columns(getattr(model, "inputs", None), "inputs", name)
    outputs, _ = _columns(getattr(model, "outputs", None), "outputs", name)
    batching = getattr(model, "batching", bool(inputs))
    if not isinstance(batching, bool):
        raise Invalid(
            f"{name}: `batching` is {batching!r}; True or False is wanted", field="batching"
        )
    if len(rows) > 1:
        raise Invalid(
            f"{name}: the inputs want different numbers of rows: {sorted(rows)}", field="inputs"
        )
    fixed = next(iter(rows), None)
    return Declared(
        Signature(inputs=inputs, outputs=outputs), fixed, batching=batching and fixed is None
    )


def _columns(said: object, side: str, name: str) -> tuple[tuple[Column, ...], set[int]]:
    if said is None:
        return (), set()
    if not isinstance(said, Sequence) or isinstance(said, str):
        raise Invalid(
            f"{name}: `{side}` is {type(said).__name__}; a list of columns is wanted", field=side
        )
    rows: set[int] = set()
    columns = tuple(_column(item, f"{name}: `{side}`", rows) for item in said)
    check_columns(side, columns)
    return columns, rows


def _column(item: object, place: str, rows: set[int]) -> Column:
    if isinstance(item, Column):
        return item
    if not isinstance(item, Mapping):
        raise Invalid(f"{place} holds {item!r}; a Column or a dictionary is wanted", field="source")
    try:
        tensor = msgspec.convert(dict(item), DeclaredTensor)
    except msgspec.ValidationError as error:
        raise Invalid(f"{place}: {error}", field="source") from None
    if not tensor.shape:
        raise Invalid(
            f"{place}: {tensor.name!r} has the shape []; the rows are wanted first, as in [-1]",
            field=tensor.name,
        )
    if tensor.shape[0] > 0:
        rows.add(tensor.shape[0])
    return Column(
        name=tensor.name,
        datatype=tensor.datatype,
        shape=tensor.shape[1:],
        nullable=tensor.nullable,
        categories=tensor.categories,
    )
