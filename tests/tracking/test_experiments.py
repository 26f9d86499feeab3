"""Experiments: there from the first moment, named once, deleted and restored with their runs."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import CreateWorkspace
from mainspring.core.errors import Conflict, Forbidden, Invalid, NotFound
from mainspring.core.operation import FileClient
from mainspring.tracking import contract as tracking
from mainspring.tracking import experiment_contract as contract
from mainspring.tracking.contract import ListRuns, NameRun
from mainspring.tracking.experiment_contract import (
    CreateExperiment,
    Experiment,
    FindExperiment,
    NameExperiment,
    RenameExperiment,
    TagExperiment,
    UntagExperiment,
)
from tests import story
from tests.conftest import SignIn
from tests.house import Clients


def create(client: FileClient, name: str = "delays", **more: object) -> Experiment:
    request = CreateExperiment(name=name, **more)  # type: ignore[arg-type]
    return client.call(contract.create_experiment, request)


def show(clients: Clients, experiment: str) -> Experiment:
    return clients.viewer.call(contract.show_experiment, NameExperiment(experiment=experiment))


def delete(clients: Clients, experiment: str) -> None:
    clients.developer.call(contract.delete_experiment, NameExperiment(experiment=experiment))


def test_a_workspace_has_the_default_experiment(clients: Clients) -> None:
    assert (show(clients, "0").name, show(clients, "0").deleted_at) == ("Default", None)


def test_another_workspace_has_its_own_default(
    clients: Clients, sign_in: SignIn, tokens: dict[str, str]
) -> None:
    clients.admin.call(administration.create_workspace, CreateWorkspace(name="another"))
    there = sign_in(tokens["ada"], "another")

    delete_there = NameExperiment(experiment="0")
    there.call(contract.delete_experiment, delete_there)

    assert there.call(contract.show_experiment, delete_there).deleted_at is not None
    assert show(clients, "0").deleted_at is None


def test_an_experiment_is_found_by_id_and_by_name(clients: Clients) -> None:
    name = "/Users/ana/näme with: all, sorts / of things"
    made = create(clients.developer, name, artifact_location="s3://bucket", tags={"a/b": "c"})

    found = clients.viewer.call(contract.find_experiment, FindExperiment(name=name))

    assert made == found == show(clients, made.id)
    assert (found.artifact_location, found.tags) == ("s3://bucket", {"a/b": "c"})
    assert (len(found.id), found.id.isdecimal()) == (18, True)


@pytest.mark.parametrize("name", ["", "x" * 501, "a\x00b"])
def test_a_name_that_will_not_do_is_refused(clients: Clients, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        create(clients.developer, name)
    assert caught.value.field == "name"


def test_a_name_is_taken_once(clients: Clients) -> None:
    create(clients.developer)

    with pytest.raises(Conflict, match="exists"):
        create(clients.developer)


def test_a_deleted_experiment_keeps_its_name(clients: Clients) -> None:
    delete(clients, create(clients.developer).id)

    with pytest.raises(Conflict, match="is deleted and keeps its name"):
        create(clients.developer)


def test_who_only_reads_creates_none(clients: Clients) -> None:
    with pytest.raises(Forbidden):
        create(clients.viewer)


def test_an_unknown_experiment_is_not_found(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        show(clients, "12345")
    assert caught.value.field == "experiment"


def test_an_experiment_is_renamed(clients: Clients) -> None:
    made = create(clients.developer)

    request = RenameExperiment(experiment=made.id, name="late flights")
    clients.developer.call(contract.rename_experiment, request)

    assert show(clients, made.id).name == "late flights"
    create(clients.developer, "delays")


def test_a_name_of_another_is_no_new_name(clients: Clients) -> None:
    made = create(clients.developer)
    create(clients.developer, "other")

    request = RenameExperiment(experiment=made.id, name="other")
    with pytest.raises(Conflict) as caught:
        clients.developer.call(contract.rename_experiment, request)
    assert caught.value.field == "name"


def test_runs_go_and_come_back_with_their_experiment(clients: Clients) -> None:
    run = story.open_run(clients.developer, experiment="delays")
    key = clients.viewer.call(contract.find_experiment, FindExperiment(name="delays")).id

    delete(clients, key)
    gone = clients.viewer.call(tracking.list_runs, ListRuns()).items
    clients.developer.call(contract.restore_experiment, NameExperiment(experiment=key))

    assert gone == []
    assert [row.id for row in clients.viewer.call(tracking.list_runs, ListRuns()).items] == [run]


def test_nothing_is_logged_into_a_deleted_experiment(clients: Clients) -> None:
    run = story.open_run(clients.developer, experiment="delays")
    key = clients.viewer.call(contract.find_experiment, FindExperiment(name="delays")).id
    delete(clients, key)

    with pytest.raises(Conflict, match="is deleted"):
        clients.developer.call(tracking.log_run, tracking.LogRun(run=run, tags={"a": "b"}))
    with pytest.raises(Conflict, match="is deleted"):
        story.open_run(clients.developer, experiment="delays")
    with pytest.raises(Conflict, match="is deleted"):
        clients.developer.call(
            contract.tag_experiment, TagExperiment(experiment=key, tags={"a": "b"})
        )
    assert clients.viewer.call(tracking.show_run, NameRun(run=run)).tags == {}


def test_what_is_not_deleted_is_not_restored(clients: Clients) -> None:
    made = create(clients.developer)

    with pytest.raises(Conflict, match="is not deleted"):
        clients.developer.call(contract.restore_experiment, NameExperiment(experiment=made.id))


def test_tags_are_set_changed_and_forgotten(clients: Clients) -> None:
    made = create(clients.developer, tags={"a": "1", "b": "2"})

    tags = {"b": "3\nlines", "c": ""}
    clients.developer.call(contract.tag_experiment, TagExperiment(experiment=made.id, tags=tags))
    clients.developer.call(contract.untag_experiment, UntagExperiment(experiment=made.id, key="a"))

    assert show(clients, made.id).tags == {"b": "3\nlines", "c": ""}


def test_a_tag_that_is_not_there_is_not_forgotten(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        clients.developer.call(
            contract.untag_experiment, UntagExperiment(experiment="0", key="none")
        )
    assert caught.value.field == "key"


def test_what_happens_to_an_experiment_is_told(clients: Clients) -> None:
    made = create(clients.developer)
    delete(clients, made.id)
    clients.developer.call(contract.restore_experiment, NameExperiment(experiment=made.id))

    assert story.kinds(clients.viewer)[-3:] == [
        "experiment.created",
        "experiment.deleted",
        "experiment.restored",
    ]
