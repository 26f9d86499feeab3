"""A framework that Mainspring does not follow and MLflow does: `mlflow.autolog()` against our server."""

from __future__ import annotations

import mlflow
import pandas as pd
import statsmodels.api as sm

LENGTH = "petal length (cm)"


def test_a_regression_of_statsmodels_logs_itself(
    client: mlflow.MlflowClient, experiment: str, flowers: pd.DataFrame
) -> None:
    mlflow.autolog()
    with mlflow.start_run() as run:
        others = flowers.drop(columns=LENGTH)  # the fixture is everybody's
        fitted = sm.OLS(flowers[LENGTH], sm.add_constant(others)).fit(method="qr")
    mlflow.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    model = mlflow.get_logged_model(found.outputs.model_outputs[0].model_id)

    assert found.data.params["method"] == "qr"
    assert found.data.metrics["rsquared"] == fitted.rsquared
    assert found.data.metrics["rsquared"] > 0.9
    assert "model_summary.txt" in {one.path for one in client.list_artifacts(run.info.run_id)}
    assert mlflow.statsmodels.load_model(model.model_uri).params.equals(fitted.params)
