"""The registry: versions, aliases, stages, tags, loading and searches."""

from __future__ import annotations

import mlflow
import numpy as np
import pandas as pd
import pytest
from client_side import REQUIREMENTS, refused
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def name(request: pytest.FixtureRequest, experiment: str, classifier: LogisticRegression) -> str:
    """A model named like the test, with one version."""
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            classifier,
            name="model",
            pip_requirements=REQUIREMENTS,
            registered_model_name=request.node.name,
        )
    return str(request.node.name)


def test_a_version_is_loaded_by_number_alias_and_stage(
    client: mlflow.MlflowClient, name: str, flowers: pd.DataFrame, classifier: LogisticRegression
) -> None:
    client.set_registered_model_alias(name, "champion", "1")
    client.transition_model_version_stage(name, "1", "Staging")
    expected = classifier.predict(flowers)

    for reference in (f"{name}/1", f"{name}@champion", f"{name}/Staging", f"{name}/latest"):
        model = mlflow.pyfunc.load_model(f"models:/{reference}")
        assert np.array_equal(model.predict(flowers), expected)
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    assert client.get_model_version_download_uri(name, "1")
    with refused("INVALID_PARAMETER_VALUE", "alias challenger not found"):
        mlflow.pyfunc.load_model(f"models:/{name}@challenger")


def test_a_name_that_exists_gets_the_next_version(client: mlflow.MlflowClient, name: str) -> None:
    first = client.get_model_version(name, "1")
    second = mlflow.register_model(first.source, name, tags={"k": "v"})
    with refused("RESOURCE_ALREADY_EXISTS"):
        client.create_registered_model(name)

    assert (first.status, first.current_stage) == ("READY", "None")
    assert (second.version, second.tags) == ("2", {"k": "v"})
    assert second.run_id == first.run_id
    again = mlflow.register_model(f"runs:/{first.run_id}/model", name)
    assert again.version == "3"


def test_stages_are_passed_on(client: mlflow.MlflowClient, name: str) -> None:
    first = client.get_model_version(name, "1")
    mlflow.register_model(first.source, name)
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)

    assert [one.version for one in client.get_latest_versions(name, ["Production"])] == ["2"]
    assert client.get_model_version(name, "1").current_stage == "Archived"
    assert {one.version for one in client.get_latest_versions(name)} == {"1", "2"}


def test_aliases_move_and_go(client: mlflow.MlflowClient, name: str) -> None:
    first = client.get_model_version(name, "1")
    mlflow.register_model(first.source, name)
    client.set_registered_model_alias(name, "best", "1")
    client.set_registered_model_alias(name, "best", "2")

    assert client.get_registered_model(name).aliases == {"best": "2"}
    assert client.get_model_version(name, "2").aliases == ["best"]
    assert client.get_model_version(name, "1").aliases == []
    client.delete_registered_model_alias(name, "best")
    assert client.get_registered_model(name).aliases == {}


def test_tags_and_descriptions_come_back(client: mlflow.MlflowClient, name: str) -> None:
    client.update_registered_model(name, description="what it is for")
    client.update_model_version(name, "1", description="the first")
    client.set_registered_model_tag(name, "team", "a")
    client.set_model_version_tag(name, "1", "checked", "yes")
    client.set_model_version_tag(name, "1", "gone", "soon")
    client.delete_model_version_tag(name, "1", "gone")

    model, version = client.get_registered_model(name), client.get_model_version(name, "1")
    assert (model.description, model.tags) == ("what it is for", {"team": "a"})
    assert (version.description, version.tags) == ("the first", {"checked": "yes"})
    client.delete_registered_model_tag(name, "team")
    assert client.get_registered_model(name).tags == {}


def test_a_version_is_copied_to_another_model(
    client: mlflow.MlflowClient, name: str, flowers: pd.DataFrame
) -> None:
    copy = client.copy_model_version(f"models:/{name}/1", f"{name}-copy")

    assert (copy.name, copy.version) == (f"{name}-copy", "1")
    assert copy.run_id == client.get_model_version(name, "1").run_id
    assert len(mlflow.pyfunc.load_model(f"models:/{name}-copy/1").predict(flowers)) == len(flowers)


def test_models_and_versions_are_renamed_and_deleted(
    client: mlflow.MlflowClient, name: str
) -> None:
    new = f"{name}-new"
    client.rename_registered_model(name, new)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_registered_model(name)
    client.delete_model_version(new, "1")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_model_version(new, "1")
    client.delete_registered_model(new)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_registered_model(new)


def test_models_and_versions_are_found(client: mlflow.MlflowClient, name: str) -> None:
    source = client.get_model_version(name, "1").source
    for number in range(2):
        client.create_registered_model(f"other-{number}", tags={"team": str(number)})
    for _ in range(2):
        mlflow.register_model(source, name)
    client.set_model_version_tag(name, "2", "checked", "yes")

    def models(wanted: str) -> list[str]:
        return [one.name for one in mlflow.search_registered_models(filter_string=wanted)]

    def versions(wanted: str, **asked: object) -> list[str]:
        found = mlflow.search_model_versions(filter_string=wanted, **asked)
        return [one.version for one in found]

    assert models("name LIKE 'other-%'") == ["other-0", "other-1"]
    assert models("name ILIKE 'OTHER%' and tags.team = '1'") == ["other-1"]
    assert models(f"name = '{name}'") == [name]
    own = f"name = '{name}'"
    assert versions(own, order_by=["version_number ASC"]) == ["1", "2", "3"]
    assert versions(f"{own} and tags.checked = 'yes'") == ["2"]
    run_id = client.get_model_version(name, "1").run_id
    assert len(versions(f"run_id = '{run_id}'")) == 3
    assert versions(f"{own} and version_number > 2") == ["3"]
    page = client.search_model_versions(own, max_results=2)
    assert len(page) == 2
    assert len(client.search_model_versions(own, max_results=2, page_token=page.token)) == 1
