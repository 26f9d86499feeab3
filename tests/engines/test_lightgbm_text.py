"""A damaged LightGBM text is refused before the C library, which would end the process, reads it."""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine

from mainspring.core.errors import Invalid
from mainspring.engines.lightgbm import LightGBMEngine
from mainspring.engines.lightgbm_text import check_text

DATA, TARGET = load_diabetes(return_X_y=True)
CATEGORIES = np.column_stack([np.arange(442) * 7 % 40, DATA[:, 1:]])


def _text(
    data: np.ndarray, target: np.ndarray, **parameters: Any
) -> tuple[bytes, lightgbm.Booster]:
    dataset = lightgbm.Dataset(
        data, target, categorical_feature=parameters.pop("categories", "auto"), params=parameters
    )
    plain = {"verbosity": -1, "num_threads": 1, "num_leaves": 7}
    booster = lightgbm.train(plain | parameters, dataset, num_boost_round=3)
    return booster.model_to_string().encode(), booster


TEXT = _text(DATA, TARGET)[0]
WITH_CATEGORIES = _text(
    CATEGORIES, TARGET + np.sin(CATEGORIES[:, 0]) * 300, categories=[0], min_data_per_group=2
)[0]
LINEAR = _text(DATA, TARGET, linear_tree=True)[0]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"linear_tree": True},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"boosting": "dart"},
        {"objective": "quantile"},
        {"min_data_in_leaf": 1000},
        {"num_leaves": 2},
    ],
)
def test_what_lightgbm_writes_is_read(parameters: dict[str, Any]) -> None:
    text, booster = _text(DATA, TARGET, **parameters)

    found = LightGBMEngine(text).predict({"input": DATA})

    np.testing.assert_array_equal(found["score"], booster.predict(DATA))


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_several_classes_are_read(objective: str) -> None:
    data, target = load_wine(return_X_y=True)
    text, booster = _text(data, target, objective=objective, num_class=3)

    found = LightGBMEngine(text).predict({"input": data})

    np.testing.assert_array_equal(found["score"], booster.predict(data))


def test_categories_are_read() -> None:
    assert b"\nnum_cat=0\n" not in WITH_CATEGORIES.partition(b"Tree=1")[0]

    check_text(WITH_CATEGORIES)


@pytest.mark.parametrize("share", range(0, 100, 4))
def test_a_torn_text_is_refused(share: int) -> None:
    trees = TEXT.index(b"end of trees")

    with pytest.raises(Invalid, match="is no LightGBM model"):
        LightGBMEngine(TEXT[: trees * share // 100])


def _forged(text: bytes, name: str, value: str | None) -> bytes:
    """The text with the first number of a field changed, and the size of its tree with it."""
    old = re.search(rb"\n" + name.encode() + rb"=([^\n ]*)([^\n]*)\n", text)
    assert old is not None

    line = b"\n" if value is None else b"\n%b=%b%b\n" % (name.encode(), value.encode(), old[2])
    made = text[: old.start()] + line + text[old.end() :]
    sizes = re.search(rb"tree_sizes=(\d+)", text)
    if sizes is None or old.start() < text.index(b"Tree=0"):
        return made
    grown = int(sizes[1]) + len(line) - len(old[0])
    return made.replace(sizes[0], b"tree_sizes=%d" % grown)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (TEXT, "left_child", "99"),
        (TEXT, "left_child", "-9"),
        (TEXT, "left_child", "0"),
        (TEXT, "right_child", "99999999999999999999"),
        (TEXT, "split_feature", "10"),
        (TEXT, "split_feature", "-1"),
        (TEXT, "split_feature", "1_0"),
        (TEXT, "num_leaves", "0"),
        (TEXT, "num_leaves", "8"),
        (TEXT, "num_cat", "1"),
        (TEXT, "decision_type", "1"),
        (TEXT, "decision_type", "2 2"),
        (TEXT, "leaf_value", "x"),
        (TEXT, "threshold", "1 1"),
        (TEXT, "leaf_count", ""),
        (TEXT, "leaf_weight", "1\n1"),
        (TEXT, "internal_value", "1\n\n1"),
        (TEXT, "num_leaves", None),
        (TEXT, "num_cat", None),
        (TEXT, "leaf_value", None),
        (TEXT, "threshold", None),
        (TEXT, "left_child", None),
        (TEXT, "num_class", "2"),
        (TEXT, "num_tree_per_iteration", "50"),
        (TEXT, "max_feature_idx", "-2"),
        (TEXT, "objective", "multiclass num_class:50"),
        (TEXT, "tree_sizes", "7"),
        (TEXT, "tree_sizes", "-7"),
        (TEXT, "tree_sizes", None),
        (WITH_CATEGORIES, "cat_boundaries", "5"),
        (WITH_CATEGORIES, "cat_boundaries", "0 99999"),
        (WITH_CATEGORIES, "cat_threshold", None),
        (WITH_CATEGORIES, "num_cat", "99"),
        (LINEAR, "leaf_features", "10"),
        (LINEAR, "num_features", "-1"),
        (LINEAR, "leaf_const", None),
    ],
)
def test_a_forged_field_is_refused(text: bytes, name: str, value: str | None) -> None:
    with pytest.raises(Invalid):
        check_text(_forged(text, name, value))


def test_a_field_that_is_said_twice_is_refused() -> None:
    twice = TEXT.replace(b"num_class=1\n", b"num_class=1\nnum_class=1\n", 1)

    with pytest.raises(Invalid, match="says 'num_class' twice"):
        check_text(twice)
