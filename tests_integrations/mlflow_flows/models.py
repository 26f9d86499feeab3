"""Models: logged, loaded, found, from the moment they are trained."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from client_side import REQUIREMENTS, refused
from mlflow.models import infer_signature, set_signature
from mlflow.models.model import ModelInfo
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def logged(experiment: str, classifier: LogisticRegression, flowers: pd.DataFrame) -> ModelInfo:
    """A model with signature and example, logged in a finished run."""
    with mlflow.start_run():
        mlflow.log_param("depth", 3)
        return mlflow.sklearn.log_model(
            classifier,
            name="model",
            input_example=flowers.head(2),
            signature=infer_signature(flowers, classifier.predict(flowers)),
            pip_requirements=REQUIREMENTS,
            params={"kind": "linear"},
            tags={"team": "a"},
        )


def test_a_logged_model_is_loaded_by_each_address(
    logged: ModelInfo, classifier: LogisticRegression, flowers: pd.DataFrame
) -> None:
    expected = classifier.predict(flowers)
    for address in (logged.model_uri, f"models:/{logged.model_id}", f"runs:/{logged.run_id}/model"):
        assert np.array_equal(mlflow.sklearn.load_model(address).predict(flowers), expected)
        assert np.array_equal(mlflow.pyfunc.load_model(address).predict(flowers), expected)


def test_signature_and_example_come_back(logged: ModelInfo, flowers: pd.DataFrame) -> None:
    found = mlflow.models.get_model_info(logged.model_uri)
    model = mlflow.pyfunc.load_model(logged.model_uri)

    assert found.signature == logged.signature
    assert found.signature.inputs.input_names() == list(flowers.columns)
    assert model.input_example.equals(flowers.head(2))
    with refused("INVALID_PARAMETER_VALUE", "schema"):
        model.predict(pd.DataFrame({"other": [1.0]}))


def test_run_and_model_know_each_other(client: mlflow.MlflowClient, logged: ModelInfo) -> None:
    model = mlflow.get_logged_model(logged.model_id)
    outputs = client.get_run(logged.run_id).outputs.model_outputs

    assert str(model.status) == "READY"
    assert (model.name, model.source_run_id) == ("model", logged.run_id)
    assert model.params == {"depth": "3", "kind": "linear"}
    assert model.tags["team"] == "a"
    assert [one.model_id for one in outputs] == [logged.model_id]
    assert mlflow.last_logged_model().model_id == logged.model_id


def test_files_of_a_model_are_listed_and_fetched(
    client: mlflow.MlflowClient, logged: ModelInfo, tmp_path: Path
) -> None:
    names = {one.path for one in client.list_logged_model_artifacts(logged.model_id)}
    under_run = f"runs:/{logged.run_id}/model"
    got = mlflow.artifacts.download_artifacts(under_run, dst_path=str(tmp_path))

    assert {"MLmodel", "input_example.json", "python_env.yaml"} <= names
    assert {path.name for path in Path(got).iterdir()} >= names
    assert {one.path for one in client.list_artifacts(logged.run_id, "model")} == {
        f"model/{name}" for name in names
    }


def test_a_signature_can_be_set_later(
    experiment: str, classifier: LogisticRegression, flowers: pd.DataFrame
) -> None:
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(classifier, name="bare", pip_requirements=REQUIREMENTS)
    signature = infer_signature(flowers, classifier.predict(flowers))

    set_signature(logged.model_uri, signature)
    assert mlflow.models.get_model_info(logged.model_uri).signature == signature


def test_metrics_of_a_model_name_their_dataset(
    client: mlflow.MlflowClient, logged: ModelInfo, iris: pd.DataFrame
) -> None:
    data = mlflow.data.from_pandas(iris, name="iris", targets="target")
    with mlflow.start_run() as run:
        mlflow.log_input(data, model=mlflow.entities.LoggedModelInput(logged.model_id))
        mlflow.log_metric("acc", 0.9, model_id=logged.model_id, dataset=data)
        mlflow.log_metrics({"auc": 0.8}, model_id=logged.model_id, step=2)

    found = {one.key: one for one in mlflow.get_logged_model(logged.model_id).metrics}
    assert (found["acc"].value, found["acc"].dataset_name) == (0.9, "iris")
    assert (found["auc"].value, found["auc"].step) == (0.8, 2)
    assert client.get_run(run.info.run_id).data.metrics == {"acc": 0.9, "auc": 0.8}
    assert [one.model_id for one in client.get_run(run.info.run_id).inputs.model_inputs] == [
        logged.model_id
    ]


def test_a_model_is_followed_without_files(client: mlflow.MlflowClient, experiment: str) -> None:
    model = mlflow.initialize_logged_model("agent", tags={"a": "1"}, params={"p": "2"})
    assert str(model.status) == "PENDING"
    mlflow.set_logged_model_tags(model.model_id, {"b": "2"})
    mlflow.delete_logged_model_tag(model.model_id, "a")
    mlflow.log_model_params({"q": "3"}, model_id=model.model_id)
    mlflow.finalize_logged_model(model.model_id, "FAILED")

    found = mlflow.get_logged_model(model.model_id)
    assert str(found.status) == "FAILED"
    assert found.params == {"p": "2", "q": "3"}
    assert (found.tags.get("a"), found.tags["b"]) == (None, "2")
    client.delete_logged_model(model.model_id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.get_logged_model(model.model_id)


def test_logged_models_are_found(client: mlflow.MlflowClient, experiment: str) -> None:
    ids = {}
    for number in range(4):
        name = f"m{number}"
        model = mlflow.initialize_logged_model(name, params={"odd": str(number % 2)})
        ids[name] = model.model_id
        with mlflow.start_run():
            mlflow.log_metric("acc", number / 10, model_id=model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")

    def names(wanted: str | None = None, **asked: object) -> list[str]:
        found = mlflow.search_logged_models([experiment], wanted, output_format="list", **asked)
        return [one.name for one in found]

    best = [{"field_name": "metrics.acc", "ascending": False}]
    assert sorted(names()) == ["m0", "m1", "m2", "m3"]
    assert names("metrics.acc >= 0.1 AND params.odd = '1'", order_by=best) == ["m3", "m1"]
    assert names("name = 'm2'") == ["m2"]
    assert names(f"model_id = '{ids['m1']}' AND creation_timestamp > 0") == ["m1"]
    assert names("attributes.name LIKE 'm%'", order_by=best, max_results=2) == ["m3", "m2"]
    first = client.search_logged_models([experiment], order_by=best, max_results=3)
    rest = client.search_logged_models(
        [experiment], order_by=best, max_results=3, page_token=first.token
    )
    assert [one.name for one in [*first, *rest]] == ["m3", "m2", "m1", "m0"]
    table = mlflow.search_logged_models([experiment])
    assert len(table) == 4
