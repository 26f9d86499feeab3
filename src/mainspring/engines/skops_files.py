"""skops files: read only if all types in them are known to be data, and their trees stay in bounds.

skops trusts scikit-learn's public estimators. It does not trust trees, since scikit-learn follows the
numbers in their nodes without looking where they lead: a forged file would read any memory. Here every
tree is looked through before it is used, and so may be trusted.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.engines.object_parts import parts_of
from mainspring.engines.pickles import ALLOW, EXTRA
from mainspring.engines.tensor import Array

SCHEMA_BYTES = 64 * 2**20
"""How large the description in a file may be, before it is parsed."""
TREE = "sklearn.tree._tree.Tree"
HISTOGRAM_TREE = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
KNOWN = frozenset(
    {
        TREE,
        HISTOGRAM_TREE,
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    }
)
"""Types beside those that skops trusts: written in Python without side effects, or checked here."""
BOOSTED = ("GradientBoostingClassifier", "GradientBoostingRegressor")
"""They add what a tree says to a column of their first guess, without looking whether it is there."""
FIRST_GUESSES = ("DummyClassifier", "DummyRegressor")


def unknown_types(path: Path) -> list[str]:
    """The types in the file that nobody vouches for; errors: not a skops file, or too large."""
    skops = require("skops.io", EXTRA)
    try:
        with zipfile.ZipFile(path) as file:
            size = file.getinfo("schema.json").file_size
        named = skops.get_untrusted_types(file=path) if size <= SCHEMA_BYTES else []
    except Exception as error:  # what a damaged file raises may be anything
        raise _damaged(path, error) from error
    if size > SCHEMA_BYTES:
        raise Invalid(f"{path.name} has a description of {size} bytes", field="source")
    return sorted(set(map(str, named)) - KNOWN)


def read_skops(path: Path, *, allow_code: bool) -> Any:
    """The object in the file; errors: damaged, or of unknown types where code is not allowed."""
    unknown = unknown_types(path)
    if unknown and not allow_code:
        raise Invalid(
            f"{path.name} holds types that are not known to be data: {', '.join(unknown)}",
            field="source",
            fix=f"allow them with {ALLOW} if you trust who made the file",
        )
    try:
        found = require("skops.io", EXTRA).load(path, trusted=[*KNOWN, *unknown])
    except Exception as error:  # what a damaged file raises may be anything
        raise _damaged(path, error) from error
    if not allow_code:
        check_trees(path.name, found)
    return found


def _damaged(path: Path, error: Exception) -> Invalid:
    return Invalid(
        f"{path.name} cannot be read as skops: {type(error).__name__}: {error}", field="source"
    )


def check_trees(name: str, root: Any) -> None:
    """Refuse trees whose nodes lead out of them, in a circle, or to features that there are not."""
    for part in parts_of(root):
        kind = type(part).__name__
        if kind in BOOSTED and not _adds_in_bounds(part):
            raise Invalid(
                f"{name} holds a {kind} whose trees do not fit to its first guess, or which guesses "
                "by another model",
                field="source",
                fix=f"allow it with {ALLOW} if you trust who made the file",
            )
        width = getattr(part, "n_features_in_", None)
        trees = [tree for tree in _trees_of(part) if not _is_sound(tree, width)]
        if trees or (_is_tree(part) and not _is_sound(part, None)):
            raise Invalid(f"{name} holds a damaged tree", field="source")


def _is_tree(part: Any) -> bool:
    kind = type(part)
    return f"{kind.__module__}.{kind.__qualname__}" in (TREE, HISTOGRAM_TREE)


def _trees_of(part: Any) -> Iterator[Any]:
    """The trees that are given the part's own rows."""
    for holder in (part, *_listed(getattr(part, "estimators_", ()))):
        tree = getattr(holder, "tree_", None)
        if tree is not None:
            yield tree
    yield from (tree for tree in _listed(getattr(part, "_predictors", ())) if _is_tree(tree))


def _adds_in_bounds(boosted: Any) -> bool:
    """Whether the first guess has a column for each tree of a round, and all take the same rows."""
    trees, width = getattr(boosted, "estimators_", None), getattr(boosted, "n_features_in_", None)
    if not isinstance(trees, np.ndarray) or trees.ndim != 2 or not trees.size or width is None:
        return False
    for tree in trees.flat:
        is_tree = type(tree).__name__ == "DecisionTreeRegressor" and hasattr(tree, "tree_")
        if not is_tree or getattr(tree, "n_features_in_", None) != width:
            return False
    first = getattr(boosted, "init_", None)
    if first != "zero" and type(first).__name__ not in FIRST_GUESSES:
        return False
    try:
        rows = np.zeros((2, width), dtype=np.float32)
        guess = boosted._raw_predict_init(rows)  # noqa: SLF001  scikit-learn shows it nowhere else
    except Exception:  # noqa: BLE001  what a forged one raises may be anything
        return False
    return bool(guess.shape == (2, trees.shape[1]) and guess.dtype == np.float64)


def _listed(items: Any) -> list[Any]:
    flat = list(np.asarray(items, dtype=object).flat) if isinstance(items, np.ndarray) else items
    if not isinstance(flat, (list, tuple)):
        return []
    return [inner for item in flat for inner in (item if isinstance(item, list) else [item])]


def _is_sound(tree: Any, width: int | None) -> bool:
    if not _is_tree(tree):
        return False
    if type(tree).__name__ == "TreePredictor":
        nodes = tree.nodes
        leaf = nodes["is_leaf"].astype(bool)
        # Categories are looked up in further tables.
        plain = not nodes["is_categorical"].astype(bool)[~leaf].any()
        left, right, feature = nodes["left"], nodes["right"], nodes["feature_idx"]
        return plain and _leads_on(leaf, (left, right), feature, width)
    left, right = tree.children_left, tree.children_right
    within = width if width is not None else int(tree.n_features)
    return _leads_on(left == -1, (left, right), tree.feature, within)


def _leads_on(
    leaf: Array, children: tuple[Array, Array], feature: Array, width: int | None
) -> bool:
    """Whether every node leads to later ones, so that a walk ends, by a feature that there is."""
    place = np.flatnonzero(~leaf)
    asked = feature[place].astype(np.int64)
    most = np.iinfo(np.int64).max if width is None else width
    ends = all(
        (side[place].astype(np.int64) > place).all() and (side[place] < len(leaf)).all()
        for side in children
    )
    return len(leaf) > 0 and ends and bool(((asked >= 0) & (asked < most)).all())
