"""The short way through: train, log, register, load. For servers that have little installed."""

from __future__ import annotations

import math

import mlflow
import pandas as pd
from client_side import REQUIREMENTS
from sklearn.linear_model import LogisticRegression


def test_from_a_fit_to_a_registered_model(
    client: mlflow.MlflowClient,
    experiment: str,
    classifier: LogisticRegression,
    flowers: pd.DataFrame,
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_params({"depth": 3})
        for step, value in enumerate([1.0, math.nan, 0.5]):
            mlflow.log_metric("loss", value, step=step)
        mlflow.log_text("hello", "n.txt")
        mlflow.sklearn.log_model(
            classifier,
            name="model",
            input_example=flowers.head(2),
            pip_requirements=REQUIREMENTS,
            registered_model_name="short",
        )
    client.set_registered_model_alias("short", "champion", "1")

    assert len(mlflow.search_runs(filter_string="params.depth = '3' and metrics.loss < 1")) == 1
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 3
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/n.txt") == "hello"
    loaded = mlflow.pyfunc.load_model("models:/short@champion")
    assert len(loaded.predict(flowers)) == len(flowers)
    client.delete_run(run.info.run_id)
    client.restore_run(run.info.run_id)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
