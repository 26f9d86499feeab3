"""What scikit-learn's trainings record by themselves; each script runs in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frameworks.recorded import artifact, files, metrics, record

SCRIPTS = Path(__file__).parents[1] / "tests" / "frameworks" / "scripts"
TUMOURS = """
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=7)
model = LogisticRegression(C=2.0, solver="liblinear")
"""


def test_a_script_of_functions_is_recorded_training_by_training(tmp_path: Path) -> None:
    script = (SCRIPTS / "scikit_learn_diabetes.py").read_text()

    found = record(tmp_path, script)

    cross, forest = found.runs
    assert cross.name == "RandomForestRegressor cross-validation"
    assert cross.params["cv.n_estimators"] == "30"
    assert cross.params["StandardScaler.with_mean"] == "True"
    assert set(metrics(cross)) >= {"cv/mean_test_score", "cv/std_test_score", "cv/mean_fit_time"}
    assert [run.name for run in found.children] == ["fold 0", "fold 1", "fold 2"]
    assert {run.parent for run in found.children} == {cross.id}
    assert forest.name == "RandomForestRegressor"
    assert forest.params["n_estimators"] == "30"
    assert [(data.role, data.rows) for data in forest.datasets][:2] == [
        ("training", 331), ("evaluation", 111),
    ]  # fmt: skip
    assert forest.tags["estimator"] == "sklearn.ensemble._forest.RandomForestRegressor"
    assert forest.models[0].task == "regression"


def test_measures_on_the_training_data_are_told_from_others(tmp_path: Path) -> None:
    script = (SCRIPTS / "scikit_learn_diabetes.py").read_text()

    forest = record(tmp_path, script).runs[1]

    found = metrics(forest)
    assert found["training/r2_score"] == found["training/r2"]
    assert found["r2_score"] < found["training/r2_score"]
    assert found["mean_absolute_error"] > found["training/mae"]
    told = artifact(tmp_path, forest, "evaluations.json")
    assert [(one["metric"], one["data"]) for one in told] == [
        ("mean_absolute_error", "evaluation"),
        ("r2_score", "evaluation"),
        ("training/r2_score", "training"),
    ]


def test_measures_on_several_data_are_told_apart(tmp_path: Path) -> None:
    code = """
    from sklearn.metrics import accuracy_score, f1_score
    model.fit(X_train, y_train)
    half, other = X_test[:70], X_test[70:]
    print(accuracy_score(y_test[:70], model.predict(half)))
    print(accuracy_score(y_test[70:], model.predict(other)))
    print(f1_score(y_true=y_test[:70], y_pred=model.predict(half), average="macro"))
    print(accuracy_score(y_test[:70], model.predict(half)))
    """
    from_sklearn = TUMOURS + "\n".join(line.strip() for line in code.splitlines())

    found = record(tmp_path, from_sklearn)

    printed = [float(line) for line in found.printed]
    values = metrics(found.run)
    assert values["accuracy_score"] == printed[0]
    assert values["accuracy_score_2"] == printed[1]
    assert values["f1_score_macro"] == printed[2]
    counts = {one.key: one.count for one in found.run.metrics}
    assert (counts["accuracy_score"], counts["accuracy_score_2"]) == (2, 1)
    named = {data.name for data in found.run.datasets if data.role == "evaluation"}
    assert named == {"half", "other"}
    assert files(found.run) >= {"evaluation/half/confusion_matrix.json"}


def test_what_was_imported_before_is_followed(tmp_path: Path) -> None:
    start = "from sklearn.metrics import accuracy_score\n" + TUMOURS
    code = """
    import mainspring as ms
    ms.autolog(figures=False)
    print(accuracy_score(y_test, model.fit(X_train, y_train).predict(X_test)))
    """

    found = record(tmp_path, code, start=start)

    assert metrics(found.run)["accuracy_score"] == float(found.printed[0])


def test_models_that_are_scored_after_others_were_fitted_keep_their_own_scores(
    tmp_path: Path,
) -> None:
    code = """
    from sklearn.dummy import DummyClassifier
    models = [model.fit(X_train, y_train), DummyClassifier().fit(X_train, y_train)]
    for one in models:
        print(one.score(X_test, y_test))
    """

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)))

    assert [run.name for run in found.runs] == ["LogisticRegression", "DummyClassifier"]
    assert [metrics(run)["score"] for run in found.runs] == [float(one) for one in found.printed]
    assert {run.status for run in found.runs} == {"finished"}


def test_tables_and_charts_show_where_it_was_right(tmp_path: Path) -> None:
    start = "import mainspring as ms\nms.autolog()\n"

    run = record(tmp_path, TUMOURS + "model.fit(X_train, y_train)\n", start=start).run

    charts = {"confusion_matrix", "roc", "precision_recall", "importances"}
    assert files(run) >= {f"{name}.{kind}" for name in charts for kind in ("json", "png")}
    assert files(run) >= {"estimator.html", "estimator.txt"}
    matrix = artifact(tmp_path, run, "confusion_matrix.json")
    assert sum(map(sum, matrix["counts"])) == 426
    importances = artifact(tmp_path, run, "importances.json")
    assert "mean radius" in importances["columns"]
    [curve] = artifact(tmp_path, run, "roc.json")["curves"]
    assert curve["auc"] == pytest.approx(metrics(run)["training/roc_auc"])


def test_without_matplotlib_nothing_is_drawn_and_nothing_is_said(tmp_path: Path) -> None:
    start = "import sys\nsys.modules['matplotlib'] = None\nimport mainspring as ms\nms.autolog()\n"

    found = record(tmp_path, TUMOURS + "model.fit(X_train, y_train)\n", start=start)

    assert files(found.run) >= {"confusion_matrix.json", "roc.json", "importances.json"}
    assert not [path for path in files(found.run) if path.endswith(".png")]
    assert "autologging" not in found.told


def test_the_backend_of_matplotlib_stays_and_no_figure_is_left_open(tmp_path: Path) -> None:
    code = """
    import matplotlib
    matplotlib.use("svg")
    model.fit(X_train, y_train)
    ms.finish()
    from matplotlib import pyplot
    print(matplotlib.get_backend(), pyplot.get_fignums())
    """
    start = "import mainspring as ms\nms.autolog()\n"

    found = record(tmp_path, TUMOURS + "\n".join(_dedented(code)), start=start)

    assert found.printed == ["svg []"]


def test_a_residual_chart_stands_for_a_regression(tmp_path: Path) -> None:
    code = """
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge
    Ridge().fit(*load_diabetes(return_X_y=True))
    """

    run = record(tmp_path, code).run

    table = artifact(tmp_path, run, "residuals.json")
    assert len(table["residual"]) == table["rows"] == 442
    found = metrics(run)
    assert found["training/rmse"] == pytest.approx(found["training/mse"] ** 0.5)
    assert found["training/score"] == found["training/r2"]


def test_preparing_data_opens_no_run(tmp_path: Path) -> None:
    code = """
    from sklearn.datasets import load_iris
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_selection import SelectFromModel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import LabelEncoder, StandardScaler
    X, y = load_iris(return_X_y=True)
    StandardScaler().fit(X)
    PCA(2).fit_transform(X)
    LabelEncoder().fit(y)
    SelectFromModel(RandomForestClassifier(5)).fit(X, y)
    make_pipeline(StandardScaler(), PCA(2)).fit_transform(X)
    """

    assert record(tmp_path, code).runs == []


def test_preparing_data_is_told_to_the_run_around_it_as_parameters(tmp_path: Path) -> None:
    code = """
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    X, y = load_iris(return_X_y=True)
    with ms.run("mine"):
        X = StandardScaler(with_std=False).fit_transform(X)
        LogisticRegression(C=3.0).fit(X, y)
    """

    run = record(tmp_path, code).run

    assert run.params["StandardScaler.with_std"] == "False"
    assert run.params["C"] == "3.0"
    assert run.name == "mine"


def test_batches_of_partial_fit_are_one_training(tmp_path: Path) -> None:
    code = """
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier
    X, y = load_digits(return_X_y=True)
    model = SGDClassifier(random_state=0)
    for start in range(0, 1500, 300):
        model.partial_fit(X[start:start + 300], y[start:start + 300], classes=range(10))
    print(model.score(X[1500:], y[1500:]))
    """

    found = record(tmp_path, code)

    rows = next(one for one in found.run.metrics if one.key == "training/rows")
    assert (rows.count, rows.last) == (5, 1500.0)
    assert [data.rows for data in found.run.datasets if data.role == "training"] == [300] * 5
    assert metrics(found.run)["score"] == float(found.printed[0])
    assert [model.task for model in found.run.models] == ["multiclass"]


def _dedented(code: str) -> list[str]:
    return [line.removeprefix("    ") for line in code.splitlines()]
