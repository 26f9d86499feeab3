"""Ways around a workspace's requirements, each of which is closed."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Blocked, Conflict, Invalid
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.registry.requirement import REQUIREMENTS
from mainspring.registry.requirement_contract import SetRequirements, set_requirements
from mainspring.registry.source import leads_to
from mainspring.tracking import (
    artifact_contract,
    dataset_contract,
    experiment_contract,
    model_contract,
)
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import PutArtifact
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.dataset_contract import InputDataset, LogInputs
from mainspring.tracking.experiment_contract import CreateExperiment, NameExperiment
from mainspring.tracking.model_contract import CreateTrained, Finalize
from tests import story
from tests.house import Clients
from tests.registry.catalog import add, create, version
from tests.story import MODEL

RUN, OTHER = "a" * 32, "b" * 32


@pytest.fixture(autouse=True)
def _required(clients: Clients) -> None:
    clients.admin.call(set_requirements, SetRequirements(require=list(REQUIREMENTS)))


def put(client: FileClient, place: str, path: str, content: bytes) -> None:
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    client.call(artifact_contract.put_artifact, PutArtifact(place=place, file=file))


def complete(client: FileClient, **more: Any) -> str:
    """A run that says all, with a model among its files."""
    run = story.open_run(client, **more)
    story.log_data(client, run, "training")
    put(client, f"runs/{run}", "model/MLmodel", b"flavors")
    return run


def test_bytes_that_anybody_uploads_are_not_those_of_the_run_whose_id_they_borrow(
    clients: Clients,
) -> None:
    good = complete(clients.developer)
    put(clients.admin, f"uploads/{good}", "model/MLmodel", b"evil")
    create(clients.developer)

    with pytest.raises(Invalid, match="place"):
        add(clients.developer, run=good, place=f"uploads/{good}", prefix="model", source="x")


@pytest.mark.parametrize(
    ("source", "location"),
    [
        ("s3://evil/model", ""),
        ("runs:/{run}/model", "s3://evil/model"),
        ("runs:/{run}/model", "mlflow-artifacts://evil.example/0/{run}/artifacts/model"),
        ("mlflow-artifacts:/0/{other}/artifacts/{run}/artifacts/model", ""),
        ("runs:/{run}/other", ""),
        ("runs:/{other}/model", ""),
        ("models:/{run}/model", ""),
        ("http://evil.example/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model", ""),
    ],
)
def test_good_files_do_not_vouch_for_those_that_are_fetched(
    clients: Clients, source: str, location: str
) -> None:
    run = complete(clients.developer)
    create(clients.developer)
    source, location = (text.format(run=run, other=OTHER) for text in (source, location))

    with pytest.raises(Invalid, match="does not lead to 'model' in runs/") as refused:
        add(
            clients.developer, place=f"runs/{run}", prefix="model",
            source=source, location=location,
        )  # fmt: skip

    assert refused.value.field == ("location" if location else "source")
    assert f"give runs:/{run}/model " in (refused.value.fix or "")


def test_a_run_whose_files_are_kept_elsewhere_has_none_of_ours(clients: Clients) -> None:
    there = CreateExperiment(name="far", artifact_location="s3://evil")
    made = clients.developer.call(experiment_contract.create_experiment, there)
    run = complete(clients.developer, experiment="far")
    create(clients.developer)

    with pytest.raises(Invalid, match="keeps files at 's3://evil'"):
        add(clients.developer, place=f"runs/{run}", prefix="model")
    assert made.artifact_location == "s3://evil"


def test_a_copy_is_fetched_from_where_the_original_is(clients: Clients) -> None:
    run = complete(clients.developer)
    create(clients.developer)
    add(clients.developer, place=f"runs/{run}", prefix="model")

    copied = add(
        clients.developer, copied_model=MODEL, copied_version=1,
        source="models:/x/1", location="s3://evil/model",
    )  # fmt: skip

    assert copied.digest == version(clients.developer, 1).digest
    assert copied.location == f"runs:/{run}/model"


def test_a_copy_of_a_trained_model_leads_to_it(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    story.log_data(clients.developer, run, "training")
    trained = story.log_model(clients.developer, run)
    story.register(clients.developer, trained)
    there = f"mlflow-artifacts:/0/models/m-{trained}/artifacts"

    for wanted, found in ((there, there), ("s3://evil", f"models:/m-{trained}")):
        copied = add(
            clients.developer, copied_model=MODEL, copied_version=1,
            source="models:/x/1", location=wanted,
        )  # fmt: skip
        assert copied.location == found


def test_the_files_of_a_registered_model_stay_as_they_are(clients: Clients) -> None:
    run, trained = complete(clients.developer), new_id()
    made = CreateTrained(id=trained, experiment="0", name="trees", run=run)
    clients.developer.call(model_contract.create_trained, made)
    put(clients.developer, f"models/{trained}", "model.txt", b"trees")
    clients.developer.call(model_contract.finalize, Finalize(id=trained, state="ready"))
    story.register(clients.developer, trained)

    with pytest.raises(Conflict, match="stays as it is"):
        put(clients.developer, f"models/{trained}", "model.txt", b"evil")


@pytest.mark.parametrize(
    ("digest", "role"),
    [("1", "eval"), ("1", "Validation"), ("1", "holdout"), ("1", "test"), ("", "train")],
)
def test_an_input_that_a_model_is_judged_by_or_that_is_not_told_is_no_data(
    clients: Clients, digest: str, role: str
) -> None:
    run = story.open_run(clients.developer)
    inputs = LogInputs(run=run, datasets=[InputDataset(name="d", digest=digest, role=role)])
    clients.developer.call(dataset_contract.log_inputs, inputs)

    with pytest.raises(Blocked, match="data is missing"):
        story.register(clients.developer, story.log_model(clients.developer, run))


@pytest.mark.parametrize(
    "packages", [{"numpy": ""}, {"": "1"}, {"numpy": None}, [""], ["numpy"], "numpy==2", 7]
)
def test_packages_without_versions_are_no_environment(clients: Clients, packages: Any) -> None:
    run = story.open_run(clients.developer, environment={"packages": packages})
    story.log_data(clients.developer, run, "training")

    with pytest.raises(Blocked, match="environment is missing"):
        story.register(clients.developer, story.log_model(clients.developer, run))


def test_a_list_of_pinned_packages_is_an_environment(clients: Clients) -> None:
    run = story.open_run(clients.developer, environment={"packages": ["numpy==2.4"]})
    story.log_data(clients.developer, run, "training")

    assert story.register(clients.developer, story.log_model(clients.developer, run)) == 1


def test_a_run_that_went_with_its_experiment_counts_for_nothing(clients: Clients) -> None:
    run = story.open_run(clients.developer, experiment="gone")
    story.log_data(clients.developer, run, "training")
    trained = story.log_model(clients.developer, run)
    found = clients.viewer.call(tracking.show_run, tracking.NameRun(run=run)).experiment_id
    clients.developer.call(experiment_contract.delete_experiment, NameExperiment(experiment=found))

    with pytest.raises(Blocked, match="is deleted"):
        story.register(clients.developer, trained)


@pytest.mark.parametrize(
    "uri",
    [
        f"runs:/{RUN}/model", f"mlflow-artifacts:/0/{RUN}/artifacts/model",
        f"mlflow-artifacts:/0/{RUN}/artifacts/model/",
        f"mlflow-artifacts:/far/away/{RUN}/artifacts/model",
    ],
)  # fmt: skip
def test_what_leads_to_the_files_of_a_run(uri: str) -> None:
    assert leads_to(uri, f"runs/{RUN}", "model", "")


@pytest.mark.parametrize(
    "uri",
    [
        "", "s3://[", f"runs:/{RUN}", f"runs:/{RUN}/model/x", f"runs:/{OTHER}/model",
        f"runs://host/{RUN}/model", f"runs:/{RUN}/model?x", f"runs:/{RUN}/mod%2565l",
        f"models:/{RUN}/model", f"models:/m-{RUN}/model", f"file:/0/{RUN}/artifacts/model",
        f"mlflow-artifacts:/0/{RUN}/artifacts/../x/model",
        f"mlflow-artifacts:/0/{OTHER}/artifacts/0/{RUN}/artifacts/model",
    ],
)  # fmt: skip
def test_what_leads_elsewhere(uri: str) -> None:
    assert not leads_to(uri, f"runs/{RUN}", "model", "")


def test_what_leads_to_a_trained_model_depends_on_where_its_files_are_kept() -> None:
    place, uri = f"models/{RUN}", f"models:/m-{RUN}"

    kept = ("", "mlflow-artifacts:/far", "s3://bucket", "mlflow-artifacts://host/far", "s3://[")
    assert [leads_to(uri, place, "", one) for one in kept] == [True, True, False, False, False]
    assert leads_to(f"mlflow-artifacts:/0/models/m-{RUN}/artifacts", place, "", "s3://bucket")
