"""Models of tables: a sample of what they take, and their signature. Needs the extra `loop`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.datasets.table import as_table
from mainspring.recording import packing

ROWS = 50
WIDEST = 5000
"""Columns up to which a sparse matrix is written out in a sample."""


def sample_of(features: Any) -> Any:
    """A few rows of what a model takes; None if they cannot be had."""
    if hasattr(features, "toarray"):
        return features.tocsr()[:ROWS].toarray() if features.shape[1] <= WIDEST else None
    if hasattr(features, "iloc"):
        return features.iloc[:ROWS]
    if hasattr(features, "num_rows"):
        return features.slice(0, ROWS)
    rows = hasattr(features, "__getitem__") and not isinstance(features, str | Path)
    return features[:ROWS] if rows else None


def signature_of(sample: Any, outputs: Sequence[str]) -> Signature | None:
    """The signature of a model that takes such rows; None if they are of types that we do not serve."""
    if sample is None:
        return None
    try:
        found = packing.signature_of(as_table(sample))
        inputs = tuple(_levelled(column, sample) for column in found.inputs)
    except Invalid:
        return None
    given = tuple(Column(name=name, datatype="FP64") for name in outputs)
    return Signature(inputs=inputs, outputs=given)


def outputs_alone(outputs: Sequence[str]) -> Signature:
    """What can be said of a model whose inputs cannot be shown."""
    return Signature(inputs=(), outputs=tuple(Column(name=one, datatype="FP64") for one in outputs))


def _levelled(column: Column, sample: Any) -> Column:
    """The column with its levels as pandas has them: models go by their codes."""
    if not hasattr(sample, "iloc"):
        return column
    place = [str(name) for name in sample.columns].index(column.name)
    levels = getattr(sample.dtypes.iloc[place], "categories", None)
    if levels is None:
        return column
    if not all(isinstance(level, str) for level in levels):
        raise Invalid("levels that are no texts cannot be served", field=column.name)
    return Column(name=column.name, datatype="BYTES", categories=tuple(levels), nullable=True)
