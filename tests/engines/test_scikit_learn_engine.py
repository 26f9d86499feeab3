"""scikit-learn's estimators: what fitting left in them says what they take and give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, load_linnerud
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

import mainspring
from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.engine import load_model
from mainspring.engines.scikit_learn import DECIDED_BY_PROBABILITY, ScikitLearnEngine
from mainspring.engines.source import load_source
from mainspring.engines.tensor import DTYPES, Tensors
from tests.engines.estimators import (
    CITIES,
    described,
    frame_inputs,
    frame_pipeline,
    made_frame,
    saved,
)


def test_a_data_frame_gives_a_column_for_each_feature(tmp_path: Path) -> None:
    model = saved(frame_pipeline(LogisticRegression(C=0.01, max_iter=2000)), tmp_path)

    assert model.signature.inputs == (
        Column(name="age", datatype="FP64", nullable=True),
        Column(name="city", datatype="BYTES", nullable=True, categories=CITIES),
        Column(name="count", datatype="FP64", nullable=True),
    )
    assert model.signature.outputs == (
        Column(name="predict", datatype="BYTES"),
        Column(name="predict_proba", datatype="FP64", shape=(2,)),
    )


def _gaps_in_text(fill: Any) -> tuple[Any, np.ndarray]:
    values = np.array(["a", fill, "b", "a", fill, "b"], dtype=object)
    frame = pd.DataFrame({"kind": pd.Series(values, dtype=object)})
    model = make_pipeline(OneHotEncoder(), DecisionTreeClassifier()).fit(frame, [0, 2, 1, 0, 2, 1])
    return model, np.array(["a", None, "b"], dtype=object)


@pytest.mark.parametrize("fill", [None, np.nan])
def test_missing_text_comes_as_the_model_learnt_it(tmp_path: Path, fill: Any) -> None:
    model, values = _gaps_in_text(fill)

    found = saved(model, tmp_path).predict({"kind": values})

    assert found["predict"].tolist() == [0, 2, 1]


def test_text_alone_is_one_input(tmp_path: Path) -> None:
    words = ["good day", "bad day", "good food", "bad food"]
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=0.01, max_iter=2000)).fit(
        words, [1, 0, 1, 0]
    )
    model = saved(pipeline, tmp_path)

    assert model.signature.inputs == (Column(name="input", datatype="BYTES"),)
    found = model.predict({"input": np.array(["so good", "bad", "bad bad"], dtype=object)})
    assert found["predict"].tolist() == [1, 0, 0]


def test_text_in_a_matrix_makes_it_a_matrix_of_text(tmp_path: Path) -> None:
    data = np.array([["a", "x"], ["b", "y"], ["a", "y"]], dtype=object)
    pipeline = make_pipeline(OneHotEncoder(), DecisionTreeClassifier()).fit(data, [0, 1, 2])
    model = saved(pipeline, tmp_path)

    assert model.signature.inputs == (Column(name="input", datatype="BYTES", shape=(2,)),)
    assert model.predict({"input": data})["predict"].tolist() == [0, 1, 2]


def test_numbers_may_be_missing_where_the_whole_model_takes_that(tmp_path: Path) -> None:
    data, target = load_iris(return_X_y=True)
    filling, strict, scaled = (
        # A scaler takes NaN, and says so for the whole pipeline.
        saved(make_pipeline(*first, GaussianNB()).fit(data, target), tmp_path)
        for first in ([SimpleImputer()], [], [StandardScaler()])
    )
    gap = np.full((1, 4), np.nan)
    assert filling.predict({"input": gap})["predict"].shape == (1,)
    for model in (strict, scaled):
        with pytest.raises(Invalid, match="row 0: null"):
            model.predict({"input": gap})


@pytest.mark.parametrize(
    ("encoder", "change", "message"),
    [
        (None, {"age": np.array([np.inf])}, "refuses the inputs: .*infinity"),
        (OneHotEncoder(), {"city": np.array(["Rom"], dtype=object)}, "unknown categories.*Rom"),
    ],
)
def test_what_the_estimator_refuses_is_the_callers_error(
    tmp_path: Path, encoder: Any, change: Tensors, message: str
) -> None:
    model = saved(frame_pipeline(LogisticRegression(C=0.01, max_iter=2000), encoder), tmp_path)
    row = {name: values[1:2] for name, values in frame_inputs(made_frame()).items()}

    with pytest.raises(Invalid, match=message):
        model.predict(row | change)


DATA, TARGET = load_iris(return_X_y=True)
NAMES = load_iris().target_names[TARGET]
GRID = np.random.default_rng(3).uniform(0, 8, (2000, 4)).round(0)
"""Rows between the flowers, where trees that were grown a little disagree, and tie."""


@pytest.mark.parametrize(
    "classifier",
    [
        BaggingClassifier(DecisionTreeClassifier(max_features=1), n_estimators=4, random_state=1),
        CalibratedClassifierCV(DecisionTreeClassifier(max_depth=1), method="isotonic", cv=2),
        DecisionTreeClassifier(max_depth=1),
        ExtraTreeClassifier(max_depth=1, random_state=1),
        ExtraTreesClassifier(n_estimators=4, random_state=1),
        LabelPropagation(kernel="knn", n_neighbors=4),
        LabelSpreading(kernel="knn", n_neighbors=4),
        RandomForestClassifier(n_estimators=4, random_state=1, n_jobs=2),
        VotingClassifier(
            [
                ("a", DecisionTreeClassifier(max_features=1, random_state=1)),
                ("b", ExtraTreeClassifier(random_state=2)),
            ],
            voting="soft",
        ),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_labels_taken_from_probabilities_are_those_of_predict_also_in_ties(
    tmp_path: Path, classifier: Any
) -> None:
    fitted = classifier.fit(DATA, NAMES)
    asked: list[str] = []

    def predict(rows: np.ndarray) -> np.ndarray:
        asked.append("predict")
        return np.asarray(type(fitted).predict(fitted, rows))

    model = saved(fitted, tmp_path, "model.joblib")
    served = model.engine
    assert isinstance(served, ScikitLearnEngine)
    served._estimator.predict = predict

    found = model.predict({"input": GRID})

    probabilities = fitted.predict_proba(GRID)
    ties = np.count_nonzero(np.sort(probabilities)[:, -1] == np.sort(probabilities)[:, -2])
    assert ties > 0
    assert asked == []
    np.testing.assert_array_equal(found["predict"], fitted.predict(GRID))
    np.testing.assert_array_equal(found["predict_proba"], probabilities)


def test_every_estimator_that_decides_by_probability_is_in_the_test_above() -> None:
    marks = test_labels_taken_from_probabilities_are_those_of_predict_also_in_ties.pytestmark
    mark = next(mark for mark in marks if mark.name == "parametrize")
    tried = {type(classifier).__name__ for classifier in mark.args[1]}

    assert tried == DECIDED_BY_PROBABILITY | {"VotingClassifier"}


@pytest.mark.parametrize(
    "classifier",
    [
        GaussianNB(),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsClassifier(4),
        LogisticRegression(C=0.01, max_iter=2000),
        make_pipeline(StandardScaler(), RandomForestClassifier(4, random_state=1)),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_others_are_asked_for_both(tmp_path: Path, classifier: Any) -> None:
    fitted = classifier.fit(DATA, TARGET)

    found = saved(fitted, tmp_path, "model.joblib").predict({"input": GRID})

    np.testing.assert_array_equal(found["predict"], fitted.predict(GRID))
    np.testing.assert_array_equal(found["predict_proba"], fitted.predict_proba(GRID))


def test_what_is_no_classifier_gives_what_it_predicts(tmp_path: Path) -> None:
    features, targets = load_linnerud(return_X_y=True)

    several = saved(LinearRegression().fit(features, targets), tmp_path)
    groups = saved(KMeans(3, n_init=1).fit(DATA), tmp_path)

    assert several.signature.outputs == (Column(name="predict", datatype="FP64", shape=(3,)),)
    assert groups.signature.outputs == (Column(name="predict", datatype="INT32"),)


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ({"prediction": "INT64"}, ["predict"]),
        ({"a": "FP64", "b": "FP64", "c": "FP32"}, ["proba 0", "proba 1", "proba 2"]),
        ({"predict": "INT32"}, ["predict"]),
    ],
)
def test_declared_outputs_are_filled_by_name_or_number(
    tmp_path: Path, outputs: dict[str, Datatype], wanted: list[str]
) -> None:
    fitted = LogisticRegression(C=0.01, max_iter=2000).fit(DATA, TARGET)
    known = {f"proba {place}": fitted.predict_proba(DATA)[:, place] for place in range(3)}
    known["predict"] = fitted.predict(DATA)
    skops.io.dump(fitted, tmp_path / "model.skops")
    signature = Signature(
        inputs=tuple(Column(name=name, datatype="FP64") for name in "wxyz"),
        outputs=tuple(Column(name=name, datatype=kind) for name, kind in outputs.items()),
    )
    described(tmp_path, signature, "model.skops")

    found = load_model(tmp_path).predict(dict(zip("wxyz", DATA.T, strict=True)))

    for (name, values), source in zip(found.items(), wanted, strict=True):
        assert values.dtype == DTYPES[outputs[name]]
        np.testing.assert_allclose(values, known[source], rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ("wxy", (Column(name="score", datatype="FP64"),), "takes 4 features, its signature has 3"),
        (
            "wxyz",
            (Column(name="predict", datatype="BYTES"),),
            "'predict' is BYTES; the classes are 0, 1",
        ),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(
    tmp_path: Path, inputs: str, outputs: tuple[Column, ...], message: str
) -> None:
    skops.io.dump(
        LogisticRegression(C=0.01, max_iter=2000).fit(DATA, TARGET), tmp_path / "model.skops"
    )
    columns = tuple(Column(name=name, datatype="FP64") for name in inputs)
    described(tmp_path, Signature(inputs=columns, outputs=outputs), "model.skops")

    with pytest.raises(Invalid, match=message):
        load_model(tmp_path)


def test_columns_that_the_model_was_not_fitted_on_are_refused(tmp_path: Path) -> None:
    skops.io.dump(
        frame_pipeline(LogisticRegression(C=0.01, max_iter=2000)), tmp_path / "model.skops"
    )
    signature = Signature(
        inputs=(Column(name="size", datatype="FP64"),),
        outputs=(Column(name="predict", datatype="BYTES"),),
    )
    described(tmp_path, signature, "model.skops")

    with pytest.raises(
        Invalid, match="fitted on the columns age, city, count; its signature has size"
    ):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(C=0.01, max_iter=2000), "does not say how many features it takes"),
        (StandardScaler().fit(DATA), "a StandardScaler has no `predict`"),
    ],
)
def test_what_cannot_predict_is_refused(tmp_path: Path, model: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        saved(model, tmp_path)


class Own(BaseEstimator):  # type: ignore[misc]
    """A type that skops does not know."""

    n_features_in_ = 2

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows.sum(axis=1))


def test_types_that_skops_does_not_know_are_code(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(Own(), path)

    with pytest.raises(Invalid, match=r"not known to be data: .*Own") as refusal:
        load_source(str(path))

    assert "--allow-code-models" in str(refusal.value.fix)
    model = load_source(str(path), allow_code=True)
    assert model.predict({"input": np.ones((1, 2))})["predict"].tolist() == [2]


def test_a_registered_pickle_is_read_only_where_code_is_allowed(tmp_path: Path) -> None:
    joblib.dump(
        LogisticRegression(C=0.01, max_iter=2000).fit(DATA, TARGET), tmp_path / "model.joblib"
    )
    signature = Signature(
        inputs=(Column(name="input", datatype="FP64", shape=(4,)),),
        outputs=(Column(name="predict", datatype="INT64"),),
    )
    described(tmp_path, signature, "model.joblib")

    with pytest.raises(Invalid, match=r"the pickle model\.joblib may hold code"):
        load_source(str(tmp_path))

    assert load_source(str(tmp_path), allow_code=True).predict({"input": DATA[:1]})["predict"] == [
        0
    ]


def test_numbers_that_are_categories_are_given_as_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"flag": [True, False, True, False], "size": [1, 2, 3, 1]})
    model = make_pipeline(OneHotEncoder(), DecisionTreeClassifier()).fit(frame, [0, 1, 2, 3])

    served = saved(model, tmp_path)

    assert [column.datatype for column in served.signature.inputs] == ["FP64", "FP64"]
    found = served.predict({name: frame[name].to_numpy(dtype=float) for name in frame})
    assert found["predict"].tolist() == [0, 1, 2, 3]


WITHOUT_PANDAS = """
import sys
sys.path += sys.argv[1:3]
import numpy as np
from mainspring.core.errors import Unavailable
from mainspring.engines.source import load_source
try:
    load_source(sys.argv[3] + "/by_name.skops")
except Unavailable as error:
    print(error.fix)
model = load_source(sys.argv[3] + "/by_place.skops")
print(model.predict({name: np.array([1.0, 2.0]) for name in "ab"})["predict"].tolist())
"""


def test_without_pandas_only_what_chooses_columns_by_name_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    by_name = make_column_transformer((StandardScaler(), ["a", "b"]))
    saved(make_pipeline(by_name, LinearRegression()).fit(frame, [5, 7]), tmp_path, "by_name.skops")
    saved(LinearRegression().fit(frame, [5, 7]), tmp_path, "by_place.skops")
    installed = tmp_path / "installed"
    installed.mkdir()
    for package in Path(np.__file__).parents[1].iterdir():
        if not package.name.startswith("pandas"):
            (installed / package.name).symlink_to(package)
    source = Path(mainspring.__file__).parents[1]

    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-W", "error", "-c", WITHOUT_PANDAS),
            *(str(installed), str(source), str(tmp_path)),
        ],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    refusal, answer = done.stdout.splitlines()
    assert refusal == "pip install pandas"
    assert json.loads(answer) == pytest.approx([5, 7])
