"""Datasets, artifacts and trained models: what a run refers to, and what has to be stored for it."""

from __future__ import annotations

import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.tracking import artifact_contract, contract, dataset_contract, model_contract
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import FileEntry, NameRun, Run
from mainspring.tracking.dataset_contract import DatasetRole, ListDatasets, LogDataset
from mainspring.tracking.model_contract import NameTrainedModel
from tests import story
from tests.house import Clients


@pytest.fixture
def run(clients: Clients) -> str:
    """An open run of the developer."""
    return story.open_run(clients.developer)


def show(clients: Clients, run: str) -> Run:
    return clients.viewer.call(contract.show_run, NameRun(run=run))


def test_a_dataset_is_kept_once_for_all_runs(clients: Clients) -> None:
    for _ in range(2):
        story.log_data(clients.developer, story.open_run(clients.developer), "training")

    (dataset,) = clients.viewer.call(dataset_contract.list_datasets, ListDatasets()).items

    assert (dataset.name, dataset.runs) == ("training", 2)


def test_one_dataset_may_have_two_roles_in_a_run(clients: Clients, run: str) -> None:
    roles: list[DatasetRole] = ["training", "validation"]
    for role in roles:
        request = LogDataset(
            run=run, name="d", digest=digest_of(b"d"), role=role, rows=1, columns=[]
        )
        clients.developer.call(dataset_contract.log_dataset, request)

    assert [dataset.role for dataset in show(clients, run).datasets] == roles


def test_the_rows_of_a_dataset_have_to_be_stored_first(clients: Clients, run: str) -> None:
    digest = digest_of(b"rows")
    request = LogDataset(
        run=run, name="d", digest=digest, role="training", rows=1, columns=[], file=digest
    )

    with pytest.raises(NotFound, match="this workspace has no file") as caught:
        clients.developer.call(dataset_contract.log_dataset, request)
    assert caught.value.field == "file"


def artifact(clients: Clients, run: str, content: bytes) -> FileEntry:
    file = FileEntry(
        path="plots/roc.png", digest=story.put(clients.developer, content), size=len(content)
    )
    return clients.developer.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))


def test_an_artifact_belongs_to_its_run(clients: Clients, run: str) -> None:
    file = artifact(clients, run, b"picture")

    assert show(clients, run).artifacts == [file]


def test_an_artifact_keeps_its_content(clients: Clients, run: str) -> None:
    artifact(clients, run, b"picture")

    with pytest.raises(Conflict, match=r"already has another file at 'plots/roc\.png'"):
        artifact(clients, run, b"another")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../b", "a//b", "a/.", "", "a\n", "a\x00b", "a/"]
)
def test_an_artifact_stays_in_its_folder(clients: Clients, run: str, path: str) -> None:
    file = FileEntry(path=path, digest=digest_of(b""), size=0)

    with pytest.raises(Invalid) as caught:
        clients.developer.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))
    assert caught.value.field == "file.path"


def test_a_trained_model_is_found_by_its_id(clients: Clients, run: str) -> None:
    trained = story.log_model(clients.developer, run)

    found = clients.viewer.call(model_contract.show_trained, NameTrainedModel(id=trained))

    assert (found.run, found.signature) == (run, story.SIGNATURE)
    assert show(clients, run).models == [found]


def test_a_model_of_files_that_are_not_stored_is_refused(clients: Clients, run: str) -> None:
    file = FileEntry(path="model.txt", digest=digest_of(b"never sent"), size=10)
    request = model_contract.LogModel(
        run=run, id=new_id(), name="m", engine="onnx", task="binary",
        signature=story.SIGNATURE, files=[file],
    )  # fmt: skip

    with pytest.raises(NotFound) as caught:
        clients.developer.call(model_contract.log_model, request)
    assert caught.value.field == "files"
