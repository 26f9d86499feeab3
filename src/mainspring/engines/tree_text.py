"""The trees of a LightGBM text model as arrays: which splits there are, and what the leaves say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from mainspring.core.errors import Invalid

CATEGORICAL, DEFAULT_LEFT = 1, 2
Missing = Literal["none", "zero", "nan"]
MISSING: tuple[Missing, ...] = ("none", "zero", "nan")


@dataclass(frozen=True, slots=True)
class Split:
    """An inner node. A child below 0 is the leaf `~child`."""

    feature: int
    threshold: float
    """Values up to it go left."""
    categories: tuple[int, ...] | None
    """Of a categorical split: those that go left; what is missing goes right."""
    default_left: bool
    """Where what counts as missing goes."""
    missing: Missing
    """What counts as missing: nothing (NaN is 0), zero and NaN, or NaN."""
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree; without a split it is one leaf."""

    splits: tuple[Split, ...]
    leaves: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees, in the order of iterations and, within one, of classes."""

    trees: tuple[Tree, ...]
    per_iteration: int
    features: int
    objective: str
    """As the header says it, for instance `binary sigmoid:1`; empty where a function of its user was."""
    average: bool
    """Whether the raw score is the mean over the iterations and not their sum."""


def read_forest(text: str) -> Forest:
    """Read a text model; errors: `Invalid` where it holds what this cannot say."""
    header, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    known = dict(_pairs(header))
    try:
        return Forest(
            trees=tuple(_tree(dict(_pairs(block))) for block in blocks),
            per_iteration=int(known["num_tree_per_iteration"]),
            features=int(known["max_feature_idx"]) + 1,
            objective=known.get("objective", ""),
            average="average_output" in header.splitlines(),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise Invalid(f"the LightGBM model cannot be read: {error!r}") from None


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


def _tree(said: dict[str, str]) -> Tree:
    if said.get("is_linear", "0") != "0":
        raise Invalid("its leaves hold linear models")
    leaves = tuple(float(value) for value in said["leaf_value"].split())
    if int(said["num_leaves"]) <= 1:
        return Tree((), leaves[:1])
    numbers = {
        name: [int(value) for value in said[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    }
    thresholds = [float(value) for value in said["threshold"].split()]
    sets = _sets(said)
    return Tree(
        tuple(
            Split(
                feature=feature,
                threshold=threshold,
                categories=sets[int(threshold)] if kind & CATEGORICAL else None,
                default_left=bool(kind & DEFAULT_LEFT),
                missing=MISSING[kind >> 2 & 3],
                left=left,
                right=right,
            )
            for feature, kind, left, right, threshold in zip(
                *numbers.values(), thresholds, strict=True
            )
        ),
        leaves,
    )


def _sets(said: dict[str, str]) -> list[tuple[int, ...]]:
    """The categories of each categorical split, out of bit sets of 32-bit words."""
    if said.get("num_cat", "0") == "0":
        return []
    ends = [int(value) for value in said["cat_boundaries"].split()]
    words = [int(value) for value in said["cat_threshold"].split()]
    return [
        tuple(
            32 * place + bit
            for place, word in enumerate(words[first:last])
            for bit in range(32)
            if word >> bit & 1
        )
        for first, last in pairwise(ends)
    ]
