"""Registered models and versions, as MLflow's clients send and read them."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.registry import contract as registry
from tests import story
from tests.house import Clients
from tests.interfaces.mlflow_api.wire import (
    API,
    PROXY,
    Wire,
    done,
    experiment,
    logged_model,
    refused,
    run,
)
from tests.story import MODEL

MODELS, VERSIONS = f"{API}/registered-models", f"{API}/model-versions"
BAD, MISSING, TAKEN, DENIED = (
    "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS",
    "PERMISSION_DENIED",
)  # fmt: skip
ELSEWHERE = "s3://bucket/model"


def create(wire: Wire, name: str = MODEL, **more: object) -> dict[str, Any]:
    made = done(wire("POST", f"{MODELS}/create", {"name": name, **more}))
    found: dict[str, Any] = made["registered_model"]
    return found


def version(wire: Wire, source: str = ELSEWHERE, **more: object) -> dict[str, Any]:
    made = done(wire("POST", f"{VERSIONS}/create", {"name": MODEL, "source": source, **more}))
    found: dict[str, Any] = made["model_version"]
    return found


def shown(wire: Wire, number: object = 1) -> dict[str, Any]:
    found: dict[str, Any] = done(wire("GET", f"{VERSIONS}/get", name=MODEL, version=number))
    return dict(found["model_version"])


def test_a_model_is_created_and_read(wire: Wire) -> None:
    made = create(wire, description="late?", tags=[{"key": "a/b", "value": "1"}])

    read = done(wire("GET", f"{MODELS}/get", name=MODEL))["registered_model"]

    assert read == made
    assert made["tags"] == [{"key": "a/b", "value": "1"}]
    assert made["creation_timestamp"] == made["last_updated_timestamp"]
    assert (made["name"], made["description"], made["latest_versions"]) == (MODEL, "late?", [])


def test_a_name_that_is_taken_answers_400(wire: Wire) -> None:
    create(wire)

    again = wire("POST", f"{MODELS}/create", {"name": MODEL})
    prompt = {"name": MODEL, "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}

    refused(again, 400, TAKEN, f"Registered Model (name={MODEL}) already exists.")
    refused(wire("POST", f"{MODELS}/create", prompt), 400, TAKEN, "Tried to create a prompt")


def test_a_model_is_described_renamed_and_deleted(wire: Wire) -> None:
    create(wire)
    version(wire)

    body = {"name": MODEL, "description": "better"}
    described = done(wire("PATCH", f"{MODELS}/update", body))["registered_model"]
    body = {"name": MODEL, "new_name": "other 2"}
    renamed = done(wire("POST", f"{MODELS}/rename", body))["registered_model"]
    done(wire("DELETE", f"{MODELS}/delete", {"name": "other 2"}))

    assert described["description"] == renamed["description"] == "better"
    assert renamed["latest_versions"][0]["name"] == "other 2"
    gone = wire("GET", f"{MODELS}/get", name="other 2")
    refused(gone, 404, MISSING, "Registered Model with name=other 2 not found")


def test_a_version_is_created_and_read(wire: Wire) -> None:
    create(wire)
    tags = [{"key": "k", "value": "v"}]
    made = version(wire, run_id="r", run_link="https://x", description="good", tags=tags)

    assert made == shown(wire)
    assert (made["version"], made["current_stage"], made["status"]) == ("1", "None", "READY")
    assert (made["source"], made["run_id"], made["run_link"]) == (ELSEWHERE, "r", "https://x")
    assert (made["tags"], made["aliases"], made["user_id"]) == (tags, [], "dora")


def test_a_version_is_described_and_deleted(wire: Wire) -> None:
    create(wire)
    version(wire)

    body = {"name": MODEL, "version": "1", "description": "better"}
    assert done(wire("PATCH", f"{VERSIONS}/update", body))["model_version"] == shown(wire)
    assert shown(wire)["description"] == "better"
    done(wire("DELETE", f"{VERSIONS}/delete", {"name": MODEL, "version": "1"}))

    gone = wire("GET", f"{VERSIONS}/get", name=MODEL, version="1")
    refused(gone, 404, MISSING, f"Model Version (name={MODEL}, version=1) not found")
    assert version(wire)["version"] == "2"


def test_tags_are_set_and_taken_off(wire: Wire) -> None:
    create(wire)
    version(wire)
    model, one = {"name": MODEL}, {"name": MODEL, "version": "1"}
    for place, named in ((MODELS, model), (VERSIONS, one)):
        for key in ("a", "b"):
            done(wire("POST", f"{place}/set-tag", {**named, "key": key, "value": ""}))
        for _ in range(2):  # what is off already is taken off again
            done(wire("DELETE", f"{place}/delete-tag", {**named, "key": "a"}))

    read = done(wire("GET", f"{MODELS}/get", name=MODEL))["registered_model"]
    assert read["tags"] == shown(wire)["tags"] == [{"key": "b", "value": ""}]


def test_an_alias_is_set_read_and_forgotten(wire: Wire) -> None:
    create(wire)
    version(wire)
    version(wire)
    done(wire("POST", f"{MODELS}/alias", {"name": MODEL, "alias": "best", "version": "2"}))

    read = done(wire("GET", f"{MODELS}/alias", name=MODEL, alias="best"))["model_version"]
    latest = done(wire("GET", f"{MODELS}/alias", name=MODEL, alias="latest"))["model_version"]

    assert read == latest == shown(wire, 2)
    assert read["aliases"] == ["best"]
    for _ in range(2):
        done(wire("DELETE", f"{MODELS}/alias", {"name": MODEL, "alias": "best"}))
    unknown = wire("GET", f"{MODELS}/alias", name=MODEL, alias="best")
    refused(unknown, 400, BAD, "Registered model alias best not found.")


def test_stages_are_moved_to_and_told(wire: Wire) -> None:
    create(wire)
    for stage in ("Production", "production", "Staging"):
        number = version(wire)["version"]
        body = {"name": MODEL, "version": number, "stage": stage}
        moved = wire("POST", f"{VERSIONS}/transition-stage", body)
        assert done(moved)["model_version"]["current_stage"] == stage.title()

    body = {"name": MODEL, "version": "3", "stage": "Production", "archive_existing_versions": True}
    done(wire("POST", f"{VERSIONS}/transition-stage", body))
    newest = wire("POST", f"{MODELS}/get-latest-versions", {"name": MODEL})
    some = wire("GET", f"{MODELS}/get-latest-versions", name=MODEL, stages=["Archived"])

    stages = {one["current_stage"]: one["version"] for one in done(newest)["model_versions"]}
    assert stages == {"Production": "3", "Archived": "2"}
    assert [one["version"] for one in done(some)["model_versions"]] == ["2"]


def test_a_gate_answers_403_and_says_what_is_missing(wire: Wire, clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)
    body = {"name": MODEL, "version": "1", "stage": "Production"}

    said = refused(wire("POST", f"{VERSIONS}/transition-stage", body), 403, DENIED)

    assert "check 'performance' has not run yet" in said
    assert f"mainspring promote {MODEL}@1 --to production" in said
    renamed = wire("POST", f"{MODELS}/rename", {"name": MODEL, "new_name": "other"})
    refused(renamed, 403, DENIED, "a suite for 'production' is declared")


def test_what_is_in_production_by_promotion_stays(wire: Wire, clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)

    body = {"name": MODEL, "version": "1", "stage": "Archived"}
    left = wire("POST", f"{VERSIONS}/transition-stage", body)
    gone = wire("DELETE", f"{VERSIONS}/delete", {"name": MODEL, "version": "1"})
    whole = wire("DELETE", f"{MODELS}/delete", {"name": MODEL})

    refused(left, 403, DENIED, "may not leave production")
    refused(gone, 403, DENIED, "cannot be deleted")
    refused(whole, 403, DENIED, "cannot be deleted")


def test_files_of_a_run_become_a_version(wire: Wire, clients: Clients) -> None:
    made = run(wire)
    for name in ("model/MLmodel", "model/data/trees.txt", "other"):
        place = f"{PROXY}/{made['artifact_uri'].partition(':/')[2]}/{name}"
        done(wire("PUT", place, b"bytes"))
    create(wire)

    version(wire, f"runs:/{made['run_id']}/model", run_id=made["run_id"])
    version(wire, f"{made['artifact_uri']}/model", run_id=made["run_id"])

    first, second = (native(clients, number) for number in (1, 2))
    assert [file.path for file in first.files] == ["MLmodel", "data/trees.txt"]
    assert first.digest == second.digest is not None
    uri = wire("GET", f"{VERSIONS}/get-download-uri", name=MODEL, version=2)
    assert done(uri)["artifact_uri"] == f"{made['artifact_uri']}/model"


def native(clients: Clients, number: int) -> Any:
    asked = registry.NameVersion(model=MODEL, version=number)
    return clients.viewer.call(registry.show_version, asked)


def test_a_logged_model_becomes_a_version(wire: Wire, clients: Clients) -> None:
    made = run(wire)
    model = logged_model(wire, source_run_id=made["run_id"], name="trees")
    place = f"{PROXY}/{model['artifact_uri'].partition(':/')[2]}/MLmodel"
    done(wire("PUT", place, b"bytes"))
    body = {"status": "LOGGED_MODEL_READY"}
    done(wire("PATCH", f"{API}/logged-models/{model['model_id']}", body))
    create(wire)

    source = f"models:/{model['model_id']}"
    registered = version(wire, source, model_id=model["model_id"])

    assert (registered["source"], registered["run_id"]) == (source, made["run_id"])
    assert native(clients, 1).digest is not None
    uri = wire("GET", f"{VERSIONS}/get-download-uri", name=MODEL, version=1)
    assert done(uri)["artifact_uri"] == model["artifact_uri"]
    tagged = done(wire("GET", f"{API}/logged-models/{model['model_id']}"))["model"]["info"]["tags"]
    listed = {"key": "mlflow.modelVersions", "value": f'[{{"name": "{MODEL}", "version": 1}}]'}
    assert listed in tagged


def test_a_copy_is_fetched_from_where_its_original_is(wire: Wire, clients: Clients) -> None:
    create(wire)
    version(wire)
    version(wire, f"models:/{MODEL}/1")
    done(wire("DELETE", f"{VERSIONS}/delete", {"name": MODEL, "version": "1"}))

    uri = wire("GET", f"{VERSIONS}/get-download-uri", name=MODEL, version=2)

    assert done(uri)["artifact_uri"] == ELSEWHERE


def test_a_native_version_is_fetched_from_its_trained_model(wire: Wire, clients: Clients) -> None:
    made = story.version(clients.developer)

    uri = wire("GET", f"{VERSIONS}/get-download-uri", name=MODEL, version=1)

    assert shown(wire)["source"] == f"models:/m-{made.trained}"
    assert done(uri)["artifact_uri"].endswith(f"/models/m-{made.trained}/artifacts")


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts:/models/../../x", "http://h/models/../../", "s3://b/a/..%2f..%2fx",
        "mlflow-artifacts://h/x%00", "dbfs:/a%3f/../../..", "s3://b/%252e%252e/x", "s3://b/./x",
        "http://[invalid", "/etc/passwd", "relative", "file:///etc/passwd", "file://10.0.0.1/x",
        "models:/nobody/1", "models:/m-" + "0" * 32, "models:/x", "%25" * 50 + "x:/",
    ],
)  # fmt: skip
def test_a_bad_source_is_refused(wire: Wire, source: str) -> None:
    create(wire)
    made = run(wire)

    for more in ({}, {"run_id": made["run_id"]}):
        answer = wire("POST", f"{VERSIONS}/create", {"name": MODEL, "source": source, **more})
        assert answer.status in (400, 404), answer.body
        assert answer.json["error_code"] in (BAD, MISSING)


def test_a_path_of_the_runs_own_folder_is_a_source(wire: Wire) -> None:
    place = experiment(wire, artifact_location="file:///data/delays")
    made = run(wire, place)
    create(wire)

    version(wire, f"{made['artifact_uri']}/model", run_id=made["run_id"])
    version(wire, f"/data/delays/{made['run_id']}/artifacts", run_id=made["run_id"])
    body = {"name": MODEL, "source": "file:///data/delays/x/..", "run_id": made["run_id"]}
    refused(wire("POST", f"{VERSIONS}/create", body), 400, BAD, "To use a local path as a model")


def test_a_prompt_is_a_model_of_its_own_kind(wire: Wire) -> None:
    mark = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    text = {"key": "mlflow.prompt.text", "value": "Hello"}
    create(wire, tags=[mark])

    version(wire, "/no path at all", tags=[mark, text])
    for alias in ("production", "best"):
        body = {"name": MODEL, "alias": alias, "version": "1"}
        done(wire("POST", f"{MODELS}/alias", body))

    read = done(wire("GET", f"{MODELS}/alias", name=MODEL, alias="production"))["model_version"]
    assert read["aliases"] == ["best", "production"]


def test_who_only_looks_changes_nothing(wires: dict[str, Wire], wire: Wire) -> None:
    create(wire)

    refused(wires["vera"]("POST", f"{MODELS}/create", {"name": "other"}), 403, DENIED)
    assert done(wires["vera"]("GET", f"{MODELS}/get", name=MODEL))
