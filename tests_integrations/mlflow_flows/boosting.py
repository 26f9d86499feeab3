"""Autologging of XGBoost and LightGBM: each round is a step of the metric."""

from __future__ import annotations

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost
from client_side import REQUIREMENTS

ROUNDS = 10


def history(client: mlflow.MlflowClient, run_id: str, key: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run_id, key)]


def test_xgboost_logs_itself(
    client: mlflow.MlflowClient, experiment: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    mlflow.xgboost.autolog(model_format="json")
    data = xgboost.DMatrix(flowers, label=iris["target"] == 1)
    settings = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
    with mlflow.start_run() as run:
        booster = xgboost.train(settings, data, ROUNDS, evals=[(data, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    found = client.get_run(run.info.run_id)

    assert found.data.params["max_depth"] == "2"
    assert history(client, run.info.run_id, "train-logloss") == list(range(ROUNDS))
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert "feature_importance_weight.json" in names
    model = mlflow.xgboost.load_model(f"models:/{found.outputs.model_outputs[0].model_id}")
    assert np.allclose(model.predict(data), booster.predict(data))


def test_lightgbm_logs_itself(
    client: mlflow.MlflowClient, experiment: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    mlflow.lightgbm.autolog()
    data = lightgbm.Dataset(flowers, iris["target"] == 1)
    settings = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbosity": -1}
    with mlflow.start_run() as run:
        booster = lightgbm.train(settings, data, ROUNDS, valid_sets=[data], valid_names=["train"])
    mlflow.lightgbm.autolog(disable=True)
    found = client.get_run(run.info.run_id)

    assert found.data.params["num_leaves"] == "4"
    assert history(client, run.info.run_id, "train-binary_logloss") == list(range(ROUNDS))
    model = mlflow.lightgbm.load_model(f"models:/{found.outputs.model_outputs[0].model_id}")
    assert np.allclose(model.predict(flowers), booster.predict(flowers))


def test_a_booster_is_logged_by_hand(
    client: mlflow.MlflowClient, experiment: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    booster = lightgbm.LGBMRegressor(n_estimators=3, num_leaves=4, n_jobs=1, verbosity=-1)
    booster.fit(flowers, iris["target"])
    with mlflow.start_run():
        logged = mlflow.lightgbm.log_model(
            booster, name="hand", pip_requirements=REQUIREMENTS, registered_model_name="by-hand"
        )

    assert client.get_model_version("by-hand", "1").source == logged.model_uri
    loaded = mlflow.pyfunc.load_model("models:/by-hand/1")
    assert np.allclose(loaded.predict(flowers), booster.predict(flowers))
