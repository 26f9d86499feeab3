"""The exam of XGBoost, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.adapters.frameworks.xgboost import XGBoost
from mainspring.testing.framework import Expected, FrameworkContract
from tests.frameworks.bench import SCRIPTS, Bench

HEAD = """
import numpy, xgboost
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_diabetes(return_X_y=True, as_frame=True)
FEW = {"n_estimators": 5, "max_depth": 2, "random_state": 1, "n_jobs": 1}
PARAMS = {"objective": "reg:squarederror", "max_depth": 2, "seed": 1, "nthread": 1}
"""


class TestXGBoost(FrameworkContract):
    framework = XGBoost()
    script = SCRIPTS / "xgboost_breast_cancer.py"
    expected = Expected(
        params={"n_estimators", "max_depth", "learning_rate", "early_stopping_rounds"},
        metrics={"best_iteration", "best_score", "iterations", "training/seconds", "roc_auc_score"},
        series={"validation_0/logloss": 30, "validation_0/auc": 30},
        rows=426,
    )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.close()


def test_a_training_by_the_library_s_own_interface_is_recorded(bench: Bench) -> None:
    script = HEAD + (
        "train = xgboost.DMatrix(X[:300], label=y[:300])\n"
        "test = xgboost.DMatrix(X[300:], label=y[300:])\n"
        "seen = {}\n"
        "model = xgboost.train(PARAMS, train, 12, evals=[(train, 'train'), (test, 'later')],\n"
        "                      evals_result=seen, verbose_eval=4)\n"
        "print(seen['later']['rmse'])\n"
        "print(model.predict(test).tolist())\n"
    )
    plain = bench.plain(script)
    assert bench.printed(script) == plain

    [found] = bench.runs()
    assert found.run.name == "xgboost.train"
    assert found.params.items() >= {"max_depth": "2", "num_boost_round": "12"}.items()
    assert str(list(found.points("later/rmse").values())) == plain.splitlines()[-2]
    assert found.datasets == {"training": "training", "later": "validation"}
    assert (found.model.type, found.model.task, found.model.engine) == ("xgboost", "regression", "")
    assert {file.path for file in found.model.files} == {"model.ubj", "sample.json"}


def test_what_is_kept_predicts_the_same(bench: Bench, tmp_path: Path) -> None:
    script = HEAD + (
        "X, y = load_digits(return_X_y=True)\n"
        "model = xgboost.XGBClassifier(**FEW).fit(X, y)\n"
        "numpy.save('wanted.npy', model.predict_proba(X))\n"
    )
    [found] = bench.followed(script)

    path = found.unpacked(tmp_path / "model") / "model.ubj"
    check = (
        "import numpy, xgboost\nfrom sklearn.datasets import load_digits\n"
        f"model = xgboost.XGBClassifier(); model.load_model({str(path)!r})\n"
        "found = model.predict_proba(load_digits().data)\n"
        "print(numpy.array_equal(found, numpy.load('wanted.npy')))\n"
    )
    assert bench.plain(check) == "True\n"
    assert found.model.task == "multiclass"
    assert [one.name for one in found.model.signature.outputs] == [f"score_{n}" for n in range(10)]


def test_importances_are_kept_as_a_table_and_a_picture(bench: Bench) -> None:
    [found] = bench.followed(HEAD + "xgboost.XGBRegressor(**FEW).fit(X, y)\n")

    table = found.document("importances.json")
    assert table["columns"] == ["feature", "gain", "weight"]
    assert {row[0] for row in table["data"]} <= {one.name for one in found.model.signature.inputs}
    assert "importances.png" in found.artifacts


def test_callbacks_of_the_user_see_every_iteration_also_the_one_that_ends_it(bench: Bench) -> None:
    script = HEAD + (
        "class Stop(xgboost.callback.TrainingCallback):\n"
        "    def after_iteration(self, model, epoch, evals_log):\n"
        "        print(epoch)\n"
        "        return epoch == 3\n"
        "data = xgboost.DMatrix(X, label=y)\n"
        "xgboost.train(PARAMS, data, 20, evals=[(data, 'all')], callbacks=[Stop()], verbose_eval=False)\n"
    )
    assert bench.printed(script) == bench.plain(script) == "0\n1\n2\n3\n"

    assert list(bench.runs()[0].points("all/rmse")) == [0, 1, 2, 3]


def test_data_that_are_gone_are_known_as_the_library_holds_them(bench: Bench) -> None:
    script = HEAD + (
        "from mainspring.adapters.frameworks import sources\n"
        "sources.HELD = 0\n"
        "data = xgboost.DMatrix(X.to_numpy()[:300], label=y.to_numpy()[:300])\n"
        "xgboost.train(PARAMS, data, 2)\n"
    )
    [found] = bench.followed(script)

    [linked] = found.run.datasets
    assert (linked.rows, linked.source_type) == (300, "sparse")


def test_the_same_data_have_the_same_digest_however_they_were_given(bench: Bench) -> None:
    script = HEAD + (
        "import mainspring\n"
        "with mainspring.run('three'):\n"
        "    xgboost.XGBRegressor(**FEW).fit(X, y)\n"
        "    xgboost.train(PARAMS, xgboost.DMatrix(X, label=y), 2)\n"
        "    xgboost.train(PARAMS, xgboost.QuantileDMatrix(X, label=y), 2)\n"
    )
    [found] = bench.followed(script)

    assert len(found.run.datasets) == 3
    assert len({one.digest for one in found.run.datasets}) == 1


def test_a_sparse_matrix_is_linked_and_sampled(bench: Bench) -> None:
    script = HEAD + (
        "import scipy.sparse\n"
        "xgboost.XGBRegressor(**FEW).fit(scipy.sparse.csr_matrix(X.to_numpy() * (X > 0)), y)\n"
    )
    [found] = bench.followed(script)

    assert [one.rows for one in found.run.datasets] == [442]
    assert len(found.model.signature.inputs) == 10


def test_a_ranking_is_recorded(bench: Bench) -> None:
    script = HEAD + (
        "order = numpy.repeat(numpy.arange(34), 13)\n"
        "grade = numpy.digitize(y, [100, 200])\n"
        "model = xgboost.XGBRanker(**FEW)\n"
        "model.fit(X, grade, qid=order, eval_set=[(X.copy(), grade)], eval_qid=[order], verbose=False)\n"
    )
    [found] = bench.followed(script)

    [watched] = [key for key in found.metrics if key.startswith("validation_0/")]
    assert len(found.points(watched)) == 5
    assert found.model.task == ""


def test_a_linear_booster_has_weights_for_importances(bench: Bench) -> None:
    script = HEAD + "xgboost.XGBRegressor(booster='gblinear', n_estimators=3, n_jobs=1).fit(X, y)\n"

    [found] = bench.followed(script)

    assert found.document("importances.json")["columns"] == ["feature", "weight"]


def test_a_pipeline_and_a_search_are_one_run_each(bench: Bench) -> None:
    script = HEAD + (
        "steps = make_pipeline(StandardScaler(), xgboost.XGBRegressor(**FEW))\n"
        "steps.fit(X, y, xgbregressor__eval_set=[(X.to_numpy(), y)], xgbregressor__verbose=False)\n"
        "grid = GridSearchCV(xgboost.XGBRegressor(**FEW), {'max_depth': [1, 2]}, cv=2)\n"
        "grid.fit(X, y, eval_set=[(X.copy(), y)], verbose=False)\n"
    )
    outer = [one for one in bench.followed(script) if one.run.parent is None]

    assert [one.run.name for one in outer] == ["Pipeline", "GridSearchCV"]
    assert [len(one.points("validation_0/rmse")) for one in outer] == [5, 5]
    assert [len(one.run.models) for one in outer] == [1, 1]


def test_a_cross_validation_tells_means_and_deviations(bench: Bench) -> None:
    script = HEAD + (
        "found = xgboost.cv(PARAMS, xgboost.DMatrix(X, label=y), 7, nfold=3, seed=2)\n"
        "print(found['test-rmse-mean'].tolist())\n"
    )
    printed = bench.printed(script)

    [found] = bench.runs()
    assert printed == bench.plain(script)
    assert str(list(found.points("test-rmse-mean").values())) == printed.strip()
    assert found.params["nfold"] == "3"


def test_what_is_known_of_a_function_by_its_name_stays(bench: Bench) -> None:
    script = HEAD + (
        "import inspect, pickle\n"
        "print(inspect.signature(xgboost.train), inspect.signature(xgboost.XGBModel.fit))\n"
        "print(pickle.loads(pickle.dumps(xgboost.train)) is xgboost.train)\n"
        "model = pickle.loads(pickle.dumps(xgboost.XGBRegressor(**FEW).fit(X, y)))\n"
        "print(model.predict(X)[:3])\n"
    )

    assert bench.printed(script) == bench.plain(script)
