"""What autologging leaves as it was in scikit-learn, and how its models are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frameworks.recorded import artifact, metrics, record

TUMOURS = """
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=7)
model = LogisticRegression(C=2.0, solver="liblinear")
"""


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_the_workers_of_a_search_record_nothing_of_their_own(tmp_path: Path, backend: str) -> None:
    code = f"""
    from joblib import parallel_backend
    from sklearn.model_selection import GridSearchCV
    with parallel_backend("{backend}", n_jobs=2):
        GridSearchCV(model, {{"C": [0.1, 1.0]}}, cv=3, error_score="raise").fit(X_train, y_train)
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert found.run.name == "GridSearchCV"
    assert [run.params for run in found.children] == [{"C": "0.1"}, {"C": "1.0"}] or [
        run.params for run in found.children
    ] == [{"C": "1.0"}, {"C": "0.1"}]
    assert len(found.run.models) == 1


def test_classes_of_the_script_itself_still_reach_worker_processes(tmp_path: Path) -> None:
    code = """
    import pickle
    import numpy as np
    from sklearn.base import BaseEstimator, ClassifierMixin, clone
    from sklearn.metrics import f1_score, get_scorer, make_scorer
    from sklearn.model_selection import cross_val_score
    class Most(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.most_ = max(self.classes_.tolist(), key=list(y).count)
            return self
        def predict(self, X):
            return [self.most_] * len(X)
    print(cross_val_score(Most(), X_train, y_train, n_jobs=2, cv=3, scoring="accuracy").mean())
    print(cross_val_score(Most(), X_train, y_train, n_jobs=2, cv=3, scoring=make_scorer(f1_score)).mean())
    print(pickle.loads(pickle.dumps(get_scorer("accuracy"))) is not None)
    print(pickle.loads(pickle.dumps(f1_score)) is f1_score)
    print(clone(Most()).fit(X_train, y_train).most_, pickle.loads(pickle.dumps(model)).C)
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert float(found.printed[0]) == pytest.approx(0.62, abs=0.05)
    assert found.printed[2:4] == ["True", "True"]
    assert found.printed[4] == "1 2.0"
    assert [run.name for run in found.runs] == [
        "Most cross-validation", "Most cross-validation", "Most",
    ]  # fmt: skip


def test_estimators_keep_their_signatures_and_pass_the_checks_of_their_library(
    tmp_path: Path,
) -> None:
    code = """
    import inspect, sys, warnings
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.estimator_checks import check_estimator
    print(inspect.signature(LogisticRegression.fit))
    print(inspect.signature(LogisticRegression.set_fit_request))
    print(LogisticRegression.fit.__doc__.split()[0], LogisticRegression.fit.__qualname__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(LogisticRegression(), on_fail=None, on_skip=None)
    print(sorted({one["status"] for one in found}), len(found) > 30)
    """

    found = record(tmp_path, code, MAINSPRING_MODE="disabled")

    plain = record(tmp_path, code, start="", MAINSPRING_MODE="disabled")
    assert found.printed == plain.printed
    assert found.printed[0] == "(self, X, y, sample_weight=None)"
    assert found.printed[-1] == "['passed', 'skipped'] True"


def test_no_random_number_is_drawn_and_no_warning_is_given(tmp_path: Path) -> None:
    code = """
    import random
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.dummy import DummyClassifier
    X, y = load_iris(return_X_y=True)
    np.random.seed(7)
    random.seed(7)
    own = np.random.RandomState(7)
    DummyClassifier(strategy="stratified").fit(X, y)
    DummyClassifier(strategy="stratified", random_state=own).fit(X, y)
    print(np.random.random(), random.random(), own.random_sample())
    """

    with_it = record(tmp_path, code)
    without = record(tmp_path, code, start="")

    assert with_it.printed == without.printed
    assert "autologging" not in with_it.told


def test_what_a_fit_raises_reaches_the_script_and_fails_its_run(tmp_path: Path) -> None:
    code = """
    try:
        LogisticRegression(C=-1.0).fit(X_train, y_train)
    except ValueError as error:
        print(type(error).__name__, "'C' parameter" in str(error))
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert found.printed == ["InvalidParameterError True"]
    assert found.run.status == "failed"


def test_a_model_is_kept_so_that_reading_it_runs_nothing(tmp_path: Path) -> None:
    code = """
    import sys
    from pathlib import Path
    import skops.io
    model.fit(X_train, y_train)
    from mainspring.recording.framework import framework_of
    for name in ("one", "two"):
        Path(name).mkdir()
        framework_of(model).save(model, Path(name))
    same = Path("one/model.skops").read_bytes() == Path("two/model.skops").read_bytes()
    back = skops.io.load("one/model.skops", trusted=[])
    print(same, (back.predict(X_test) == model.predict(X_test)).all())
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    [model] = found.run.models
    assert found.printed == ["True True"]
    assert {file.path for file in model.files} == {"model.json", "model.skops", "sample.json"}
    assert model.params["format"] == "skops"
    assert model.params["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert [column.name for column in model.signature.inputs][:2] == ["mean radius", "mean texture"]
    assert [column.datatype for column in model.signature.outputs] == ["INT64"]


def test_without_skops_a_model_is_a_pickle_that_says_so(tmp_path: Path) -> None:
    start = "import sys\nsys.modules['skops'] = None\nimport mainspring as ms\nms.autolog()\n"

    run = record(tmp_path, TUMOURS + "model.fit(X_train, y_train)\n", start=start).run

    [model] = run.models
    assert {file.path for file in model.files} == {"model.json", "model.joblib", "sample.json"}
    assert "pickle" in model.params["format"]


def test_of_many_candidates_the_best_are_runs_and_the_table_has_all(tmp_path: Path) -> None:
    code = """
    import numpy as np
    from sklearn.model_selection import GridSearchCV
    from sklearn.naive_bayes import GaussianNB
    GridSearchCV(GaussianNB(), {"var_smoothing": np.logspace(-9, 0, 103)}, cv=2).fit(X_train, y_train)
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert len(found.children) == 100
    assert min(metrics(run)["rank_test_score"] for run in found.children) == 1.0
    assert len(artifact(tmp_path, found.run, "cv_results.json")["data"]) == 103
    assert "of 103 candidates the best 100 are runs of their own" in found.told
    assert metrics(found.run)["candidates"] == 103.0


def test_a_script_run_a_second_time_is_recognised(tmp_path: Path) -> None:
    code = TUMOURS + "model.fit(X_train, y_train)\n"
    first = record(tmp_path, code).run

    again = record(tmp_path, code)

    assert again.runs[1].tags["duplicate_of"] == first.id
    assert f"run {first.id[:8]}" in again.told


def test_a_training_that_was_tried_can_be_stopped_before_it_begins(tmp_path: Path) -> None:
    code = """
    from mainspring.recording.duplicates import AlreadyTried
    try:
        model.fit(X_train, y_train)
    except AlreadyTried as error:
        print("tried", hasattr(model, "coef_"))
    """
    whole = TUMOURS + "\n".join(_dedented(code))
    record(tmp_path, whole, MAINSPRING_ON_DUPLICATE="stop")

    again = record(tmp_path, whole, MAINSPRING_ON_DUPLICATE="stop")

    assert again.printed == ["tried False"]
    assert len(again.runs[0].models) == 1
    assert not again.runs[1].models


def test_other_parameters_are_another_attempt(tmp_path: Path) -> None:
    code = """
    for C in (0.5, 1.0):
        LogisticRegression(C=C, solver="liblinear").fit(X_train, y_train)
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert [run.config["C"] for run in found.runs] == [0.5, 1.0]
    assert not [run for run in found.runs if "duplicate_of" in run.tags]


def test_texts_sparse_matrices_and_polars_are_trained_on_too(tmp_path: Path) -> None:
    code = """
    import polars as pl
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LinearRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    texts, labels = ["good thing", "bad thing", "fine"] * 9, ["yes", "no", "yes"] * 9
    make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, labels)
    MultinomialNB().fit(CountVectorizer().fit_transform(texts), labels)
    LinearRegression().fit(pl.DataFrame({"a": [1.0, 2, 3]}), pl.Series("t", [1.0, 2, 4]))
    """

    found = record(tmp_path, code)

    assert [run.name for run in found.runs] == ["Pipeline", "MultinomialNB", "LinearRegression"]
    assert [[data.rows for data in run.datasets] for run in found.runs] == [[27], [27], [3]]
    inputs = [[column.name for column in run.models[0].signature.inputs] for run in found.runs]
    assert inputs == [["0"], ["0", "1", "2", "3"], ["a"]]
    assert "autologging" not in found.told


def test_estimators_of_a_library_that_is_followed_itself_are_its_own(tmp_path: Path) -> None:
    code = """
    import lightgbm
    from sklearn.pipeline import make_pipeline
    from mainspring.recording.framework import frameworks
    ours = frameworks()["scikit-learn"]
    print(ours.owns(lightgbm.LGBMClassifier()), ours.owns(make_pipeline(lightgbm.LGBMClassifier())))
    """

    assert record(tmp_path, code).printed == ["False True"]


def _dedented(code: str) -> list[str]:
    return [line.removeprefix("    ") for line in code.splitlines()]
