"""Rows that fit a signature, made up from a seed, for where no real ones are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mainspring.core.signature import Column, Signature
from mainspring.engines.tensor import DTYPES, Array, Tensors

MISSING_SHARE = 0.1
UNSEEN_SHARE = 0.02
UNSEEN = "mainspring unseen"
WORDS = ("a", "b", "c")
ANY_SIZE = 3
"""How many values stand for a dimension that may have any number."""
Ranges = Mapping[str, tuple[float, float]]
"""The least and greatest value of columns, where they are known."""


def made_rows(signature: Signature, count: int, seed: int, ranges: Ranges | None = None) -> Tensors:
    """So many rows: numbers spread over their known range, else over many magnitudes with zeros and
    whole numbers among them; known and a few unknown categories; gaps where there may be some."""
    dice = np.random.default_rng(seed)
    known = ranges or {}
    return {
        column.name: _values(column, count, dice, known.get(column.name))
        for column in signature.inputs
    }


def _values(
    column: Column, count: int, dice: np.random.Generator, ends: tuple[float, float] | None
) -> Array:
    dtype = DTYPES[column.datatype]
    shape = (count, *(ANY_SIZE if size == -1 else size for size in column.shape))
    if dtype.kind == "O":
        return _texts(column, shape, dice)
    if dtype.kind == "b":
        return dice.random(shape) < 0.5
    numbers = dice.uniform(*ends, shape) if ends else _numbers(shape, dice)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        least = 0 if ends is None and dtype.kind == "u" else limits.min
        return np.clip(np.rint(numbers), max(least, -(2**53)), min(limits.max, 2**53)).astype(dtype)
    if column.nullable:
        numbers[dice.random(shape) < MISSING_SHARE] = np.nan
    return numbers.astype(dtype)


def _numbers(shape: tuple[int, ...], dice: np.random.Generator) -> Array:
    """A fifth each: around 0, in 0 to 1, whole, of many magnitudes, and 0 itself."""
    kind = dice.integers(0, 5, shape)
    kinds = [
        dice.standard_normal(shape),
        dice.random(shape),
        np.rint(dice.uniform(0, 100, shape)),
        dice.choice([-1.0, 1.0], shape) * 10 ** dice.uniform(-3, 4, shape),
    ]
    return np.select([kind == place for place in range(4)], kinds, 0.0)


def _texts(column: Column, shape: tuple[int, ...], dice: np.random.Generator) -> Array:
    levels = np.array(column.categories or WORDS, dtype=object)
    texts: Array = levels[dice.integers(0, len(levels), shape)]
    if column.categories:
        texts[dice.random(shape) < UNSEEN_SHARE] = UNSEEN
    if column.nullable:
        texts[dice.random(shape) < MISSING_SHARE] = None
    return texts
