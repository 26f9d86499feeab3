"""Autologging of scikit-learn: one fit, and a search with a run for each try."""

from __future__ import annotations

import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV


def test_a_fit_logs_itself(
    client: mlflow.MlflowClient, experiment: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    mlflow.sklearn.autolog()
    with mlflow.start_run() as run:
        LogisticRegression(max_iter=200, C=0.5).fit(flowers, iris["target"])
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    model = mlflow.get_logged_model(found.outputs.model_outputs[0].model_id)

    assert (found.data.params["C"], found.data.params["max_iter"]) == ("0.5", "200")
    assert found.data.metrics["training_accuracy_score"] > 0.9
    assert found.data.tags["estimator_name"] == "LogisticRegression"
    assert [one.dataset.source_type for one in found.inputs.dataset_inputs] == ["code"]
    assert "training_confusion_matrix.png" in {
        one.path for one in client.list_artifacts(run.info.run_id)
    }
    assert model.source_run_id == run.info.run_id
    assert model.params["C"] == "0.5"
    assert {one.key for one in model.metrics} >= {"training_accuracy_score"}
    assert len(mlflow.sklearn.load_model(model.model_uri).predict(flowers)) == len(flowers)


def test_a_search_has_a_run_for_each_try(
    client: mlflow.MlflowClient, experiment: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=3)
    with mlflow.start_run() as run:
        tried = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.1, 1.0, 10.0]}, cv=2)
        tried.fit(flowers, iris["target"])
    mlflow.sklearn.autolog(disable=True)
    wanted = f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    children = client.search_runs([experiment], wanted, order_by=["metrics.mean_test_score DESC"])

    assert children[0].data.params["C"] == str(tried.best_params_["C"])
    assert {one.data.params["C"] for one in children} == {"0.1", "1.0", "10.0"}
    assert client.get_run(run.info.run_id).data.params["best_C"] == str(tried.best_params_["C"])
    assert "cv_results.csv" in {one.path for one in client.list_artifacts(run.info.run_id)}
