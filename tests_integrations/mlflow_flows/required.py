"""A workspace that asks what its models were made of: what MLflow's clients meet there, and the way on."""

from __future__ import annotations

import mlflow
import pandas as pd
import pytest
from client_side import REQUIREMENTS, refused
from sklearn.linear_model import LogisticRegression

COMMIT = {"mlflow.source.git.commit": "0c0ffee"}


@pytest.fixture
def run_id(experiment: str, classifier: LogisticRegression) -> str:
    """A run with a model, of which neither data nor code is told."""
    with mlflow.start_run(tags={"mlflow.source.git.commit": ""}) as run:
        mlflow.sklearn.log_model(classifier, name="model", pip_requirements=REQUIREMENTS)
    return str(run.info.run_id)


def test_what_is_missing_is_named_and_may_be_supplied(
    client: mlflow.MlflowClient, run_id: str, iris: pd.DataFrame, flowers: pd.DataFrame
) -> None:
    model = client.get_run(run_id).outputs.model_outputs[0].model_id
    with refused("PERMISSION_DENIED", "data is missing: ") as caught:
        mlflow.register_model(f"models:/{model}", "asked")
    assert "code is missing: " in str(caught.value)
    assert "environment is missing" not in str(caught.value)

    with mlflow.start_run(run_id=run_id):
        mlflow.log_input(mlflow.data.from_pandas(iris, name="iris"), context="training")
        mlflow.set_tags(COMMIT)

    assert mlflow.register_model(f"models:/{model}", "asked").version == "1"
    loaded = mlflow.pyfunc.load_model("models:/asked/1")
    assert len(loaded.predict(flowers)) == len(flowers)


def test_files_elsewhere_are_of_no_run(client: mlflow.MlflowClient, run_id: str) -> None:
    client.create_registered_model("far")

    with refused("PERMISSION_DENIED", "no run of this workspace is known"):
        client.create_model_version("far", "s3://bucket/model", run_id=run_id)
