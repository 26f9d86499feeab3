"""skops files: trees are trusted once they have been looked through."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mainspring.core.errors import Invalid
from mainspring.engines.source import load_source

DATA, TARGET = load_iris(return_X_y=True)


def _changed(path: Path, change: Callable[[np.ndarray], None]) -> None:
    """Forge the nodes of every tree in the file."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    for name, content in parts.items():
        if name.endswith(".npy"):
            values = np.load(io.BytesIO(content), allow_pickle=False)
            if values.dtype.names:
                change(values)
                forged = io.BytesIO()
                np.save(forged, values)
                parts[name] = forged.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


@pytest.mark.parametrize(
    "model",
    [
        AdaBoostClassifier(n_estimators=3),
        BaggingClassifier(n_estimators=3, max_features=0.5),
        DecisionTreeClassifier(),
        GradientBoostingClassifier(n_estimators=3),
        GradientBoostingClassifier(n_estimators=3, init="zero"),
        GradientBoostingRegressor(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        IsolationForest(n_estimators=3),
        RandomForestClassifier(3),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_sound_trees_need_no_trust(tmp_path: Path, model: Any) -> None:
    fitted = model.fit(DATA, TARGET)
    skops.io.dump(fitted, tmp_path / "model.skops")

    served = load_source(str(tmp_path / "model.skops"))

    np.testing.assert_array_equal(served.predict({"input": DATA})["predict"], fitted.predict(DATA))


def _far(nodes: np.ndarray) -> None:
    nodes["left_child"][0] = 2**40


def _circle(nodes: np.ndarray) -> None:
    nodes["right_child"][0] = 0


def _features(nodes: np.ndarray) -> None:
    nodes["feature"][0] = 4


def _histogram_far(nodes: np.ndarray) -> None:
    nodes["left"][0] = 2**30


def _histogram_features(nodes: np.ndarray) -> None:
    nodes["feature_idx"][0] = 4


def _histogram_categories(nodes: np.ndarray) -> None:
    nodes["is_categorical"][0] = 1


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (DecisionTreeClassifier(), _far),
        (DecisionTreeClassifier(), _circle),
        (RandomForestClassifier(3), _features),
        (RandomForestClassifier(3), _circle),
        (GradientBoostingClassifier(n_estimators=3), _far),
        (GradientBoostingClassifier(n_estimators=3), _features),
        (HistGradientBoostingClassifier(max_iter=3), _histogram_far),
        (HistGradientBoostingClassifier(max_iter=3), _histogram_features),
        (HistGradientBoostingClassifier(max_iter=3), _histogram_categories),
    ],
    ids=lambda part: part.__name__ if callable(part) else type(part).__name__,
)
def test_a_tree_that_leads_astray_is_refused(
    tmp_path: Path, model: Any, change: Callable[[np.ndarray], None]
) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(model.fit(DATA, TARGET), path)
    _changed(path, change)

    with pytest.raises(Invalid, match=r"damaged tree|cannot be read as skops"):
        load_source(str(path))


def test_a_forest_that_says_fewer_features_than_its_trees_ask_for_is_refused(
    tmp_path: Path,
) -> None:
    forest = RandomForestClassifier(3).fit(DATA, TARGET)
    forest.n_features_in_ = 1
    skops.io.dump(forest, tmp_path / "model.skops")

    with pytest.raises(Invalid, match="damaged tree"):
        load_source(str(tmp_path / "model.skops"))


def _more_trees(boosted: Any) -> None:
    boosted.estimators_ = np.concatenate([boosted.estimators_, boosted.estimators_], axis=1)


def _one_list(boosted: Any) -> None:
    boosted.estimators_ = boosted.estimators_[:, 0]


def _fewer_guesses(boosted: Any) -> None:
    boosted.init_.class_prior_ = boosted.init_.class_prior_[:2]
    boosted.init_.n_classes_ = 2


def _other_rows(boosted: Any) -> None:
    boosted.estimators_[1, 0].n_features_in_ = 40


def _no_rows(boosted: Any) -> None:
    del boosted.n_features_in_


def _another_kind(boosted: Any) -> None:
    boosted.estimators_[1, 0] = LogisticRegression(max_iter=1000).fit(DATA, TARGET)


@pytest.mark.parametrize(
    "change", [_more_trees, _one_list, _fewer_guesses, _other_rows, _no_rows, _another_kind]
)
def test_trees_that_do_not_fit_to_the_first_guess_are_refused(
    tmp_path: Path, change: Callable[[Any], None]
) -> None:
    """scikit-learn would write beyond the guess, or read beyond a row."""
    boosted = GradientBoostingClassifier(n_estimators=3).fit(DATA, TARGET)
    change(boosted)
    skops.io.dump(boosted, tmp_path / "model.skops")

    with pytest.raises(Invalid, match="trees do not fit to its first guess"):
        load_source(str(tmp_path / "model.skops"))


def test_boosting_that_begins_with_another_model_is_code(tmp_path: Path) -> None:
    first = LogisticRegression(max_iter=1000)
    fitted = GradientBoostingClassifier(n_estimators=3, init=first).fit(DATA, TARGET)
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)

    with pytest.raises(Invalid, match="or which guesses by another model") as refusal:
        load_source(str(path))

    assert "--allow-code-models" in str(refusal.value.fix)
    assert load_source(str(path), allow_code=True).predict({"input": DATA[:1]})["predict"] == [0]


def _zip(content: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in content.items():
            file.writestr(name, part)
    return made.getvalue()


DEEP = b'{"__class__": "list", "content": ' * 50_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as skops"),
        (b"PK\x03\x04 and no more", "cannot be read as skops"),
        (_zip({}), "cannot be read as skops"),
        (_zip({"schema.json": b"{"}), "cannot be read as skops"),
        (_zip({"schema.json": DEEP}), "cannot be read as skops"),
        (_zip({"schema.json": json.dumps({"__class__": "x"}).encode()}), "cannot be read as skops"),
        (_zip({"schema.json": bytes(2**26 + 1)}), "description of 67108865 bytes"),
    ],
    ids=["empty", "torn", "nothing in it", "no JSON", "deep", "no skops", "huge"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.skops").write_bytes(content)

    with pytest.raises(Invalid, match=message):
        load_source(str(tmp_path / "model.skops"))


def test_a_part_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression(max_iter=1000).fit(DATA, TARGET), path)
    with zipfile.ZipFile(path) as file:
        schema = file.read("schema.json")
    path.write_bytes(_zip({"schema.json": schema}))

    with pytest.raises(Invalid, match="cannot be read as skops"):
        load_source(str(path))
