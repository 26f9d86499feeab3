"""What a workspace asks of registrations holds for MLflow's clients, and how they meet it."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.registry.requirement import REQUIREMENTS, Requirement
from mainspring.registry.requirement_contract import SetRequirements, set_requirements
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

COMMIT = "mlflow.source.git.commit"
SOURCE = [
    {"key": "mlflow.source.name", "value": "train.py"},
    {"key": COMMIT, "value": "c0ffee"},
]
PACKAGES = b"mlflow==3.17.2\nscikit-learn[x] == 1.9.0 ; python_version > '3'\n# a note\nnumpy>=2\n"


def ask_for(clients: Clients, *require: Requirement) -> None:
    clients.admin.call(set_requirements, SetRequirements(require=list(require)))


def opened(wire: Wire, tags: list[dict[str, str]] | None = None) -> str:
    """A run; its id."""
    body = {"experiment_id": "0", "start_time": 1, "tags": tags or []}
    made: str = done(wire("POST", f"{API}/runs/create", body))["run"]["info"]["run_id"]
    return made


def input_logged(wire: Wire, run: str) -> None:
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "fit"}]
    body = {"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]}
    done(wire("POST", f"{API}/runs/log-inputs", body))


def files_logged(wire: Wire, run: str, packages: bytes | None = PACKAGES) -> None:
    done(wire("PUT", f"{PROXY}/0/{run}/artifacts/model/MLmodel", b"flavors: {}"))
    if packages is not None:
        done(wire("PUT", f"{PROXY}/0/{run}/artifacts/model/requirements.txt", packages))


def complete(wire: Wire) -> str:
    """A run that says all, as MLflow's clients do."""
    run = opened(wire, SOURCE)
    input_logged(wire, run)
    files_logged(wire, run)
    return run


def registered(wire: Wire, run: str) -> Any:
    """The answer to a registration of the run's model."""
    wire("POST", f"{API}/registered-models/create", {"name": MODEL})
    source = f"mlflow-artifacts:/0/{run}/artifacts/model"
    body = {"name": MODEL, "source": source, "run_id": run}
    return wire("POST", f"{API}/model-versions/create", body)


def without(wire: Wire, requirement: Requirement) -> str:
    """A run that says all but the one thing."""
    run = opened(wire, SOURCE[:1] if requirement == "code" else SOURCE)
    if requirement != "data":
        input_logged(wire, run)
    files_logged(wire, run, None if requirement == "environment" else PACKAGES)
    return run


def test_a_complete_run_is_registered(wire: Wire, clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)

    assert done(registered(wire, complete(wire)))["model_version"]["version"] == "1"


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_is_missing_is_denied_and_named(
    wire: Wire, clients: Clients, requirement: Requirement
) -> None:
    ask_for(clients, *REQUIREMENTS)
    run = without(wire, requirement)

    told = refused(registered(wire, run), 403, "PERMISSION_DENIED", f"{requirement} is missing")

    assert told.count("is missing") == 1
    (event,) = story.events(clients.viewer, kind="operation.refused")
    assert event.subject == "model.add-version"


def test_a_source_elsewhere_is_denied_whatever_run_it_names(wire: Wire, clients: Clients) -> None:
    ask_for(clients, "code")
    run = complete(wire)
    done(wire("POST", f"{API}/registered-models/create", {"name": MODEL}))

    body = {"name": MODEL, "source": "s3://bucket/model", "run_id": run}
    answer = wire("POST", f"{API}/model-versions/create", body)

    refused(answer, 403, "PERMISSION_DENIED", "no run of this workspace is known")


def test_a_logged_model_counts_by_its_own_run(wire: Wire, clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    run = opened(wire, SOURCE)
    input_logged(wire, run)
    model = logged_model(wire, name="trees", source_run_id=run)["model_id"]
    for name, content in (("MLmodel", b"flavors: {}"), ("requirements.txt", PACKAGES)):
        done(wire("PUT", f"{PROXY}/0/models/{model}/artifacts/{name}", content))
    done(wire("PATCH", f"{API}/logged-models/{model}", {"status": "LOGGED_MODEL_READY"}))
    done(wire("POST", f"{API}/registered-models/create", {"name": MODEL}))

    body = {"name": MODEL, "source": f"models:/{model}", "model_id": model}
    made = done(wire("POST", f"{API}/model-versions/create", body))["model_version"]

    assert (made["version"], made["run_id"]) == ("1", run)


def test_the_code_is_that_of_the_tags(wire: Wire, clients: Clients) -> None:
    run = opened(wire, SOURCE)

    assert story.run_of(clients.viewer, run).code == {"commit": "c0ffee", "entry_point": "train.py"}


def test_a_commit_that_is_tagged_later_counts_and_the_first_one_stays(
    wire: Wire, clients: Clients
) -> None:
    run = opened(wire, SOURCE[:1])

    for commit in ("c0ffee", "decade"):
        body = {"run_id": run, "key": COMMIT, "value": commit}
        done(wire("POST", f"{API}/runs/set-tag", body))

    assert story.run_of(clients.viewer, run).code == {"commit": "c0ffee"}


def test_the_packages_are_those_beside_the_model(wire: Wire, clients: Clients) -> None:
    ask_for(clients, "environment")
    run = complete(wire)
    done(registered(wire, run))

    found = story.run_of(clients.viewer, run).environment

    assert found == {
        "packages": {"mlflow": "3.17.2", "scikit-learn": "1.9.0"}, "source": "requirements.txt",
    }  # fmt: skip


def test_nobody_describes_the_run_of_another(
    wire: Wire, wires: dict[str, Wire], clients: Clients
) -> None:
    ask_for(clients, "environment")
    run = complete(wire)

    answer = registered(wires["ada"], run)

    refused(answer, 403, "PERMISSION_DENIED", "environment is missing")
    assert story.run_of(clients.viewer, run).environment == {}


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts://evil.example/0/{run}/artifacts/model",
        "https://evil.example/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model",
    ],
)
def test_files_of_a_run_are_fetched_from_us_whatever_host_the_source_names(
    wire: Wire, clients: Clients, source: str
) -> None:
    ask_for(clients, *REQUIREMENTS)
    run = complete(wire)
    wire("POST", f"{API}/registered-models/create", {"name": MODEL})

    body = {"name": MODEL, "source": source.format(run=run), "run_id": run}
    done(wire("POST", f"{API}/model-versions/create", body))
    uri = wire("GET", f"{API}/model-versions/get-download-uri", name=MODEL, version=1)

    assert done(uri)["artifact_uri"] == f"mlflow-artifacts:/0/{run}/artifacts/model"


def test_a_prompt_is_no_way_to_a_model(wire: Wire, clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    done(wire("POST", f"{API}/registered-models/create", {"name": "greeting", "tags": prompt}))
    body = {"name": "greeting", "source": "s3://evil/model", "tags": prompt}
    done(wire("POST", f"{API}/model-versions/create", body))
    done(wire("POST", f"{API}/registered-models/create", {"name": MODEL}))

    copied = wire(
        "POST", f"{API}/model-versions/create", {"name": MODEL, "source": "models:/greeting/1"}
    )
    uri = wire("GET", f"{API}/model-versions/get-download-uri", name="greeting", version=1)

    assert copied.status != 200
    refused(uri, 400, "INVALID_PARAMETER_VALUE", "is a prompt")


def test_a_run_of_another_workspace_is_not_known_here(
    wire: Wire, clients: Clients, app: Any, tokens: dict[str, str]
) -> None:
    ask_for(clients, "code")
    other = story.elsewhere(app, tokens)
    theirs = story.open_run(other)
    story.log_data(other, theirs, "training")

    refused(registered(wire, theirs), 403, "PERMISSION_DENIED", "no run of this workspace")


def test_what_a_model_was_only_judged_by_is_no_data(wire: Wire, clients: Clients) -> None:
    ask_for(clients, "data")
    run = opened(wire)
    files_logged(wire, run)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "eval"}]
    body = {"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]}
    done(wire("POST", f"{API}/runs/log-inputs", body))

    refused(registered(wire, run), 403, "PERMISSION_DENIED", "data is missing")


def test_the_run_of_another_counts_by_what_its_author_recorded(
    wire: Wire, wires: dict[str, Wire], clients: Clients
) -> None:
    ask_for(clients, "data")
    run = opened(wire)
    files_logged(wire, run)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    body = {"run_id": run, "datasets": [{"dataset": dataset}]}

    refused(wires["ada"]("POST", f"{API}/runs/log-inputs", body), 403, "PERMISSION_DENIED")
    refused(registered(wires["ada"], run), 403, "PERMISSION_DENIED", "data is missing")


def test_models_of_an_experiment_whose_files_are_elsewhere_belong_to_no_run_of_ours(
    wire: Wire, clients: Clients
) -> None:
    place = experiment(wire, artifact_location="s3://bucket")
    made = run(wire, place)["run_id"]
    model = logged_model(wire, experiment_id=place, name="trees", source_run_id=made)["model_id"]
    done(wire("PATCH", f"{API}/logged-models/{model}", {"status": "LOGGED_MODEL_READY"}))
    done(wire("POST", f"{API}/registered-models/create", {"name": MODEL}))
    sources = [f"models:/{model}", f"runs:/{made}/model"]
    bodies = [{"name": MODEL, "source": source, "run_id": made} for source in sources]
    for body in bodies:
        done(wire("POST", f"{API}/model-versions/create", body))
    ask_for(clients, "code")

    for body in bodies:
        refused(
            wire("POST", f"{API}/model-versions/create", body),
            403, "PERMISSION_DENIED", "no run of this workspace is known",
        )  # fmt: skip
