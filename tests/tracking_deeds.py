"""How to do each operation on experiments, files, datasets and trained models in a world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.tracking import (
    artifact_contract,
    contract,
    dataset_contract,
    experiment_contract,
    model_contract,
    surroundings_contract,
)
from mainspring.tracking.artifact_contract import LogArtifact, PutArtifact, RemoveArtifacts
from mainspring.tracking.contract import FileEntry, FinishRun
from mainspring.tracking.dataset_contract import InputDataset, LogInputs
from mainspring.tracking.experiment_contract import (
    CreateExperiment,
    NameExperiment,
    RenameExperiment,
)
from mainspring.tracking.model_contract import (
    CreateTrained,
    Finalize,
    LinkModels,
    ModelLink,
    NameTrainedModel,
)
from mainspring.tracking.surroundings_contract import DescribeRun
from tests import story

if TYPE_CHECKING:
    from tests.world import World


SETUP = f"sha256:{'5e' * 32}"


def prepared(client: FileClient, name: str, run: str, trained: str) -> str:
    """An experiment, a loose file at the path `kept` and a link; the experiment's id."""
    file = FileEntry(path="kept", digest=story.put(client, b"kept"), size=4)
    again = story.open_run(client)
    client.call(surroundings_contract.describe_run, DescribeRun(run=again, setup=SETUP))
    client.call(contract.finish_run, FinishRun(run=again))
    put = PutArtifact(place=f"runs/{run}", file=file)
    client.call(artifact_contract.put_artifact, put)
    link = ModelLink(trained_model=trained, way="output")
    client.call(model_contract.link_models, LinkModels(run=run, models=[link]))
    made = client.call(experiment_contract.create_experiment, CreateExperiment(name=name))
    return made.id


def _file(world: World, path: str = "plot") -> FileEntry:
    return FileEntry(path=path, digest=world.digest, size=5)


def _log_artifact(world: World) -> None:
    request = LogArtifact(run=world.run, file=_file(world))
    world.clients.developer.call(artifact_contract.log_artifact, request)


def _put(world: World) -> None:
    request = PutArtifact(place="files", file=_file(world))
    world.clients.developer.call(artifact_contract.put_artifact, request)


def _receive(world: World) -> None:
    request = PutArtifact(place="files", file=_file(world))
    world.clients.developer.call(artifact_contract.receive_artifact, request)


def _remove(world: World) -> None:
    request = RemoveArtifacts(place=f"runs/{world.run}", path="kept")
    world.clients.developer.call(artifact_contract.remove_artifacts, request)


def _create(world: World) -> None:
    request = CreateExperiment(name="another")
    world.clients.developer.call(experiment_contract.create_experiment, request)


def _rename(world: World) -> None:
    request = RenameExperiment(experiment=world.experiment, name="another")
    world.clients.developer.call(experiment_contract.rename_experiment, request)


def _delete(world: World) -> None:
    request = NameExperiment(experiment=world.experiment)
    world.clients.developer.call(experiment_contract.delete_experiment, request)


def _restore(world: World) -> None:
    _delete(world)
    request = NameExperiment(experiment=world.experiment)
    world.clients.developer.call(experiment_contract.restore_experiment, request)


def _log_inputs(world: World) -> None:
    request = LogInputs(run=world.run, datasets=[InputDataset(name="d", digest="1")])
    world.clients.developer.call(dataset_contract.log_inputs, request)


def _begin(world: World) -> str:
    request = CreateTrained(id=new_id(), experiment=world.experiment, name="trees")
    return world.clients.developer.call(model_contract.create_trained, request).id


def _finalize(world: World) -> None:
    request = Finalize(id=_begin(world), state="ready")
    world.clients.developer.call(model_contract.finalize, request)


def _delete_trained(world: World) -> None:
    request = NameTrainedModel(id=world.trained_model)
    world.clients.developer.call(model_contract.delete_trained, request)


def _link(world: World) -> None:
    link = ModelLink(trained_model=world.trained_model, way="input")
    request = LinkModels(run=world.run, models=[link])
    world.clients.developer.call(model_contract.link_models, request)


def _describe(world: World) -> None:
    request = DescribeRun(run=world.run, config={"rate": 0.1}, code={"commit": "c0ffee"})
    world.clients.developer.call(surroundings_contract.describe_run, request)


DEEDS: dict[str, Callable[[World], object]] = {
    "experiments.create": _create,
    "experiments.rename": _rename,
    "experiments.delete": _delete,
    "experiments.restore": _restore,
    "artifacts.put": _put,
    "artifacts.receive": _receive,
    "artifacts.remove": _remove,
    "runs.describe": _describe,
    "runs.log-artifact": _log_artifact,
    "runs.log-inputs": _log_inputs,
    "runs.link-models": _link,
    "trained-models.create": _begin,
    "trained-models.finalize": _finalize,
    "trained-models.delete": _delete_trained,
}

TAGS = {
    "experiments.tag": "tags are data",
    "experiments.untag": "tags are data",
    "trained-models.tag": "tags are data",
    "trained-models.untag": "tags are data",
    "trained-models.log-params": "parameters are data",
}
"""Operations that leave no event, and why."""
