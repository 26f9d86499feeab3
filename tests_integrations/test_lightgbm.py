"""What LightGBM's trainings record by themselves; each script runs in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mainspring.engines.engine import load_model
from tests.frameworks.bench import SCRIPTS, Bench

DIGITS = (SCRIPTS / "lightgbm_digits.py").read_text()
CANCER = (SCRIPTS / "lightgbm_breast_cancer.py").read_text()
HEAD = """
import lightgbm, numpy, pandas
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

QUIET = {"verbosity": -1, "n_jobs": 1, "random_state": 1, "n_estimators": 5}
X, y = load_diabetes(return_X_y=True, as_frame=True)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.close()


def test_an_estimator_tells_its_parameters_iterations_and_data(bench: Bench) -> None:
    [found] = bench.followed(DIGITS)

    assert found.run.name == "LGBMClassifier"
    assert found.run.tags["estimator"] == "lightgbm.sklearn.LGBMClassifier"
    assert found.params.items() >= {"n_estimators": "6", "num_leaves": "7"}.items()
    assert list(found.points("valid_0/multi_error")) == [0, 1, 2, 3, 4, 5]
    assert found.datasets.items() >= {"training": "training", "valid_0": "validation"}.items()


def test_importances_are_kept_with_the_most_important_feature_first(bench: Bench) -> None:
    [found] = bench.followed(CANCER)

    table = found.document("importances.json")
    gains = [row[table["columns"].index("gain")] for row in table["data"]]
    assert gains == sorted(gains, reverse=True)
    assert table["columns"] == ["feature", "gain", "weight"]


def test_a_model_of_several_classes_is_served_as_it_predicts(bench: Bench, tmp_path: Path) -> None:
    [found] = bench.followed(DIGITS)

    served = load_model(found.unpacked(tmp_path / "model"))

    rows, wanted = np.load(tmp_path / "rows.npy"), np.load(tmp_path / "predictions.npy")
    inputs = {one.name: rows[:, place] for place, one in enumerate(served.signature.inputs)}
    answer = served.predict(inputs)
    assert found.model.task == "multiclass"
    assert list(answer) == [f"score_{digit}" for digit in range(10)]
    np.testing.assert_allclose(np.column_stack(list(answer.values())), wanted)


def test_levels_of_pandas_are_served_in_their_own_order(bench: Bench, tmp_path: Path) -> None:
    script = HEAD + (
        "X = X[['bmi', 'age']].copy()\n"
        "X['kind'] = pandas.Categorical(\n"
        "    numpy.where(X.age > 0.02, 'old', numpy.where(X.age < -0.02, 'young', 'middle')),\n"
        "    categories=['young', 'middle', 'old'])\n"
        "X = X.drop(columns='age')\n"
        "model = lightgbm.LGBMRegressor(min_data_per_group=1, cat_smooth=0, **QUIET).fit(X, y)\n"
        "numpy.save('predictions.npy', model.predict(X))\n"
        "numpy.save('bmi.npy', X.bmi)\n"
        "numpy.save('kind.npy', X.kind.astype(str).to_numpy(dtype='U6'))\n"
    )
    [found] = bench.followed(script)

    served = load_model(found.unpacked(tmp_path / "model"))

    kind = np.load(tmp_path / "kind.npy").astype(object)
    answer = served.predict({"bmi": np.load(tmp_path / "bmi.npy"), "kind": kind})
    assert served.signature.inputs[1].categories == ("young", "middle", "old")
    np.testing.assert_allclose(answer["score"], np.load(tmp_path / "predictions.npy"))


def test_what_cannot_be_served_is_kept_as_its_library_saves_it(bench: Bench) -> None:
    script = HEAD + (
        "X['year'] = pandas.Categorical(numpy.arange(len(X)) % 3 + 2020)\n"
        "lightgbm.LGBMRegressor(**QUIET).fit(X, y)\n"
    )
    [found] = bench.followed(script)

    assert (found.model.engine, found.model.type, found.model.task) == (
        "",
        "lightgbm",
        "regression",
    )
    assert {file.path for file in found.model.files} == {"model.txt", "sample.json"}


def test_a_pipeline_s_booster_is_told_as_part_of_it(bench: Bench) -> None:
    script = HEAD + (
        "steps = make_pipeline(StandardScaler(), lightgbm.LGBMRegressor(**QUIET))\n"
        "steps.fit(X, y, lgbmregressor__eval_set=[(X.to_numpy(), y)])\n"
    )
    [found] = bench.followed(script)

    assert found.run.name == "Pipeline"
    assert list(found.points("valid_0/l2")) == [0, 1, 2, 3, 4]
    assert len(found.run.models) == 1


def test_of_a_search_the_last_fit_is_told(bench: Bench) -> None:
    script = HEAD + (
        "grid = GridSearchCV(lightgbm.LGBMRegressor(**QUIET), {'num_leaves': [3, 7]}, cv=2)\n"
        "grid.fit(X, y, eval_set=[(X.to_numpy(), y)])\n"
    )
    found = bench.followed(script)

    outer = [one for one in found if one.run.parent is None]
    assert [one.run.name for one in outer] == ["GridSearchCV"]
    assert [point.count for point in outer[0].run.metrics if point.key == "valid_0/l2"] == [5]


def test_a_cross_validation_tells_means_and_deviations(bench: Bench) -> None:
    script = HEAD + (
        "data = lightgbm.Dataset(X, label=y)\n"
        "params = {'objective': 'regression', 'verbosity': -1, 'num_threads': 1}\n"
        "lightgbm.cv(params, data, num_boost_round=7, nfold=3, stratified=False)\n"
    )
    [found] = bench.followed(script)

    assert found.run.name == "lightgbm.cv"
    assert list(found.points("valid l2-mean")) == [0, 1, 2, 3, 4, 5, 6]
    assert found.metrics["valid l2-stdv"] > 0
    assert found.params["nfold"] == "3"
    assert found.datasets == {"training": "training"}
    assert not found.run.models


def test_iterations_are_thinned_out_as_asked_and_the_last_one_stays(bench: Bench) -> None:
    script = HEAD + (
        "lightgbm.LGBMRegressor(**{**QUIET, 'n_estimators': 12}).fit(X, y, eval_set=[(X.to_numpy(), y)])\n"
    )
    [found] = bench.followed(script, "every=5")

    assert list(found.points("valid_0/l2")) == [0, 5, 10, 11]


def test_the_second_training_of_a_run_has_names_of_its_own(bench: Bench) -> None:
    script = HEAD + (
        "import mainspring\n"
        "with mainspring.run('both'):\n"
        "    for leaves in (3, 7):\n"
        "        lightgbm.LGBMRegressor(**QUIET, num_leaves=leaves).fit(X, y, eval_set=[(X.to_numpy(), y)])\n"
    )
    [found] = bench.followed(script)

    assert found.params["num_leaves"] == "3"
    assert found.params["LGBMRegressor_2.num_leaves"] == "7"
    assert found.metrics.keys() >= {"valid_0/l2", "LGBMRegressor_2/valid_0/l2"}
    assert len(found.run.models) == 2


def test_data_that_the_library_has_let_go_of_are_still_known(bench: Bench) -> None:
    script = HEAD + (
        "data = lightgbm.Dataset(X.to_numpy()[:300], label=y.to_numpy()[:300]).construct()\n"
        "assert data.data is None\n"
        "lightgbm.train({'objective': 'regression', 'verbosity': -1}, data, 3)\n"
    )
    [found] = bench.followed(script)

    assert [(one.name, one.rows) for one in found.run.datasets] == [("training", 300)]


def test_a_file_that_the_library_reads_is_linked_by_its_bytes(bench: Bench) -> None:
    script = HEAD + (
        "from sklearn.datasets import dump_svmlight_file\n"
        "dump_svmlight_file(X.to_numpy(), y.to_numpy(), 'rows.svm')\n"
        "data = lightgbm.Dataset('rows.svm', params={'verbosity': -1})\n"
        "lightgbm.train({'objective': 'regression', 'verbosity': -1}, data, 3)\n"
    )
    [found] = bench.followed(script)

    [linked] = found.run.datasets
    assert (linked.role, linked.source_type) == ("training", "file")
    assert [one.name for one in found.model.signature.outputs] == ["score"]


def test_a_training_that_fails_ends_its_run_as_failed_with_the_same_error(bench: Bench) -> None:
    script = HEAD + (
        "try:\n"
        "    lightgbm.LGBMRegressor(**QUIET, objective='none such').fit(X, y)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    printed = bench.printed(script)

    assert printed == bench.plain(script)
    assert [one.run.status for one in bench.runs()] == ["failed"]
