"""What one look at a block of a column sees: its digest, and what a summary is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.datasets.digest import block_digest
from mainspring.datasets.encoding import (
    Cleaned,
    lengths_and_bytes,
    list_lengths,
    number_pieces,
    numbers,
    pieces,
)
from mainspring.datasets.kinds import is_binary, is_list, is_text, plain

_tests = pa.types


@dataclass(frozen=True, slots=True)
class Moments:
    """How many numbers, their mean, and the sum of the squares of their distances from it."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def joined(self, other: Moments) -> Moments:
        """The moments of both together."""
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        between = apart * apart * (self.count * (other.count / count))
        return Moments(count, mean, self.squares + other.squares + between)


@dataclass(frozen=True, slots=True)
class Glance:
    """One block of a column."""

    digest: bytes
    rows: int
    missing: int
    sample: pa.Array
    """Every so many rows, NaN as null."""
    low: Any = None
    high: Any = None
    moments: Moments = Moments()
    infinite: int = 0
    true: int = 0


def glance(array: pa.Array, every: int) -> Glance:
    """Look at a block of a column; the sample takes every so many of its rows."""
    array = plain(array)
    kind = array.type
    if _tests.is_integer(kind) or _tests.is_floating(kind):
        return _numbers(array, every)
    seen: dict[str, Any] = {}
    if is_text(kind) or is_binary(kind) or is_list(kind):
        seen = _of_lengths(array)
    elif _tests.is_boolean(kind):
        seen = {"true": array.true_count}
    elif _tests.is_temporal(kind) or _tests.is_decimal(kind):
        seen = _ends(array)
    return Glance(
        digest=block_digest(pieces(array)),
        rows=len(array),
        missing=array.null_count,
        sample=_every(array, every),
        **seen,
    )


def _every(array: pa.Array, step: int) -> pa.Array:
    return array if step == 1 else array.take(pa.array(np.arange(0, len(array), step)))


def thinned(sample: pa.Array) -> pa.Array:
    """Every second of a sample."""
    return _every(sample, 2)


def _numbers(array: pa.Array, every: int) -> Glance:
    found = numbers(array)
    there = found.there
    missing = len(array) - len(there)
    infinite = 0
    low, high = _least_and_greatest(there)
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = there[np.isfinite(there)]
        infinite, there = len(there) - len(finite), finite
        low, high = _least_and_greatest(there)
    return Glance(
        digest=block_digest(number_pieces(found)),
        rows=len(array),
        missing=missing,
        sample=_sampled(found, every),
        low=low if len(there) else None,
        high=high if len(there) else None,
        moments=_moments(there),
        infinite=infinite,
    )


def _least_and_greatest(values: np.ndarray) -> tuple[Any, Any]:
    return (values.min().item(), values.max().item()) if len(values) else (0, 0)


def _sampled(found: Cleaned, every: int) -> pa.Array:
    absent = None if found.present is None else ~found.present[::every]
    return pa.array(found.values[::every], mask=absent)


def _moments(values: np.ndarray) -> Moments:
    if not len(values):
        return Moments()
    with np.errstate(all="ignore"):  # of numbers near the greatest float the sums are infinite
        wide = values.astype(np.float64, copy=False)
        mean = float(wide.mean())
        apart = wide - mean
        # No dot product: BLAS would start threads of its own in each of ours.
        return Moments(len(values), mean, float(np.square(apart, out=apart).sum()))


def _of_lengths(array: pa.Array) -> dict[str, Any]:
    """Characters of texts, bytes of binary values, items of lists."""
    if is_text(array.type):
        lengths = pc.utf8_length(array).drop_null().to_numpy(zero_copy_only=False)
    else:
        found = list_lengths(array) if is_list(array.type) else lengths_and_bytes(array)[0]
        lengths = found if not array.null_count else found[array.is_valid().to_numpy(False)]
    if not len(lengths):
        return {}
    return {
        "low": int(lengths.min()),
        "high": int(lengths.max()),
        "moments": _moments(lengths),
    }


def _ends(array: pa.Array) -> dict[str, Any]:
    """The least and the greatest; moments as whole numbers of their unit."""
    if _tests.is_temporal(array.type):
        whole = pa.int32() if array.type.bit_width == 32 else pa.int64()
        array = array.view(whole)
    found = pc.min_max(array)
    return {"low": found["min"].as_py(), "high": found["max"].as_py()}
