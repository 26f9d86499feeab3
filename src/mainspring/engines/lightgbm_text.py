"""LightGBM's text format, looked through before the C library reads it.

The library ends the process at a tree that it cannot parse, and follows numbers in trees without looking
where they lead. So every field that it reads is checked for its length, its form and its range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.engines.tensor import Array

INTEGERS = re.compile(rb"[-0-9 ]*")
NUMBERS = re.compile(rb"[-+.0-9eEinfaNI ]*")
OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count", "leaf_const")
OF_SPLITS = ("threshold", "split_gain", "internal_value", "internal_weight", "internal_count")
CATEGORICAL = 1
"""The bit of a decision that asks for a category."""


def check_text(text: bytes) -> None:
    """Refuse a model that is torn, or whose trees lead out of themselves."""
    start = text.find(b"\nTree=") + 1
    if not text.startswith(b"tree") or b"\0" in text:
        raise Invalid("it does not begin with 'tree'", field="model.txt")
    header = _Fields(text[: start or len(text)], "the head")
    sizes = header.integers("tree_sizes") if header.has("tree_sizes") else np.array([])
    _check_outputs(header)
    features = header.integer("max_feature_idx") + 1
    if not len(sizes) or not start:
        raise Invalid("its head names no trees (tree_sizes)", field="model.txt")
    for place, tree in enumerate(_trees(text, start, sizes)):
        lines = tree.rstrip(b"\n").split(b"\n")
        if any(line.count(b"=") != 1 for line in lines):
            raise Invalid(f"tree {place} has a line that is no field", field="model.txt")
        _check_tree(_Fields(tree, f"tree {place}"), features)


def _trees(text: bytes, start: int, sizes: Array) -> Iterator[bytes]:
    at = start
    for place, size in enumerate(sizes.tolist()):
        tree = text[at : at + size]
        if size <= 0 or len(tree) < size or not tree.startswith(b"Tree=%d\n" % place):
            raise Invalid(f"tree {place} is not where its head says", field="model.txt")
        yield tree
        at += size
    if not text.startswith(b"end of trees", at):
        raise Invalid("its trees have no end", field="model.txt")


def _check_outputs(header: _Fields) -> None:
    """As many outputs in each place that says how many: the library writes as many as the last says."""
    classes = header.integer("num_class")
    told = [header.integer("num_tree_per_iteration")]
    told += [int(count) for count in re.findall(rb"num_class:(\d{1,9})", header.text("objective"))]
    if classes < 1 or any(count != classes for count in told):
        raise Invalid(f"its head says {classes} classes, and elsewhere {told}", field="model.txt")


def _check_tree(tree: _Fields, features: int) -> None:
    leaves = tree.integer("num_leaves")
    categories = tree.integer("num_cat")
    tree.wants(leaves >= 1 and categories >= 0, "num_leaves")
    tree.wants(len(tree.numbers("leaf_value")) == leaves, "leaf_value")
    _check_lines(tree, leaves, features)
    if leaves == 1:
        return
    for names, length in ((OF_LEAVES, leaves), (OF_SPLITS, leaves - 1)):
        for name in names:
            if tree.has(name) or name == "threshold":
                tree.wants(len(tree.numbers(name)) == length, name)
    _check_splits(tree, leaves, features)
    _check_categories(tree, leaves, categories)


def _check_splits(tree: _Fields, leaves: int, features: int) -> None:
    place = np.arange(leaves - 1)
    for name in ("left_child", "right_child"):
        child = tree.integers(name)
        tree.wants(len(child) == leaves - 1, name)
        # A split leads to a later one, so that a walk ends, or to a leaf: -1 is the first.
        inner = (child > place) & (child < leaves - 1)
        tree.wants(bool((inner | ((child < 0) & (child >= -leaves))).all()), name)
    asked = tree.integers("split_feature")
    tree.wants(len(asked) == leaves - 1, "split_feature")
    tree.wants(bool(((asked >= 0) & (asked < features)).all()), "split_feature")


def _check_categories(tree: _Fields, leaves: int, categories: int) -> None:
    kinds = (
        tree.integers("decision_type") if tree.has("decision_type") else np.zeros(leaves - 1, int)
    )
    tree.wants(len(kinds) == leaves - 1, "decision_type")
    if categories:
        ends, bits = tree.integers("cat_boundaries"), tree.integers("cat_threshold")
        sound = len(ends) == categories + 1 and ends[0] == 0 and (np.diff(ends) >= 0).all()
        tree.wants(bool(sound) and ends[-1] == len(bits), "cat_boundaries")
    asked = tree.numbers("threshold")[(kinds & CATEGORICAL) > 0]
    tree.wants(bool(((asked >= 0) & (asked < categories)).all()), "threshold")


def _check_lines(tree: _Fields, leaves: int, features: int) -> None:
    """The lines in the leaves of a linear tree."""
    if not tree.has("is_linear") or tree.integer("is_linear") == 0:
        return
    counts, asked = tree.integers("num_features"), tree.integers("leaf_features")
    tree.wants(len(tree.numbers("leaf_const")) == leaves, "leaf_const")
    tree.wants(len(counts) == leaves and bool((counts >= 0).all()), "num_features")
    tree.wants(len(asked) == counts.sum(), "leaf_features")
    tree.wants(bool(((asked >= 0) & (asked < features)).all()), "leaf_features")
    tree.wants(len(tree.numbers("leaf_coeff")) == counts.sum(), "leaf_coeff")


class _Fields:
    """The lines `name=value` of one part of the text."""

    def __init__(self, part: bytes, name: str) -> None:
        self._name = name
        self._values: dict[str, bytes] = {}
        for line in part.split(b"\n"):
            key, found, value = line.partition(b"=")
            field = key.decode(errors="replace")
            if found and field in self._values:
                raise Invalid(f"{name} says {field!r} twice", field="model.txt")
            self._values[field] = value

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> bytes:
        return self._values.get(name, b"")

    def wants(self, sound: bool, name: str) -> None:  # noqa: FBT001  what has to hold
        if not sound:
            raise Invalid(f"{self._name} has a damaged {name!r}", field="model.txt")

    def integer(self, name: str) -> int:
        found = self.integers(name)
        self.wants(len(found) == 1, name)
        return int(found[0])

    def integers(self, name: str) -> Array:
        return self._array(name, INTEGERS, np.dtype(np.int64))

    def numbers(self, name: str) -> Array:
        return self._array(name, NUMBERS, np.dtype(np.float64))

    def _array(self, name: str, form: re.Pattern[bytes], dtype: np.dtype[np.generic]) -> Array:
        value = self.text(name)
        self.wants(form.fullmatch(value) is not None, name)
        try:
            return np.array(value.split() or np.zeros(0), copy=None).astype(dtype)
        except (ValueError, OverflowError):
            raise Invalid(f"{self._name} has a damaged {name!r}", field="model.txt") from None
