"""What a workspace asks of the run behind a registration, at both doors."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Blocked, Forbidden, Invalid
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.registry import contract as registry
from mainspring.registry.contract import RegisterVersion
from mainspring.registry.requirement import REQUIREMENTS, Requirement
from mainspring.registry.requirement_contract import (
    Requirements,
    SetRequirements,
    ShowRequirements,
    set_requirements,
    show_requirements,
)
from mainspring.tracking import artifact_contract, dataset_contract, model_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import PutArtifact
from mainspring.tracking.contract import FileEntry, NameRun
from mainspring.tracking.dataset_contract import InputDataset, LogInputs
from mainspring.tracking.model_contract import CreateTrained, Finalize
from mainspring.tracking.surroundings_contract import DescribeRun, describe_run
from tests import story
from tests.house import Clients
from tests.registry.catalog import add, create
from tests.story import MODEL

EACH = pytest.mark.parametrize("requirement", REQUIREMENTS)
WITHOUT: dict[Requirement, dict[str, Any]] = {
    "data": {},
    "code": {"code": {"entry_point": "train.py", "commit": ""}},
    "environment": {"environment": {"python": "3.11", "packages": {}}},
}
"""What a run is opened with that lacks the one thing."""


def ask_for(clients: Clients, *require: Requirement) -> Requirements:
    """Let the administrator set the policy."""
    return clients.admin.call(set_requirements, SetRequirements(require=list(require)))


def shown(client: FileClient) -> Requirements:
    return client.call(show_requirements, ShowRequirements())


def lacking(client: FileClient, requirement: Requirement) -> str:
    """A run that recorded all but the one thing."""
    run = story.open_run(client, **WITHOUT[requirement])
    if requirement != "data":
        story.log_data(client, run, "training")
    return run


def door_by_id(client: FileClient, run: str) -> None:
    """Register as our own client does: a trained model of the run."""
    story.register(client, story.log_model(client, run))


def door_by_source(client: FileClient, run: str) -> None:
    """Register as other tools' clients do: files of the run, by their place."""
    file = FileEntry(path="model/MLmodel", digest=story.put(client, b"flavors"), size=7)
    client.call(artifact_contract.put_artifact, PutArtifact(place=f"runs/{run}", file=file))
    create(client)
    add(client, run=run, place=f"runs/{run}", prefix="model")


DOORS = pytest.mark.parametrize("register", [door_by_id, door_by_source])


def test_nothing_is_asked_until_somebody_says_so(clients: Clients) -> None:
    assert shown(clients.viewer) == Requirements(require=[])
    story.register(clients.developer, story.log_model(clients.developer, story.open_run(
        clients.developer, code={}, environment={}
    )))  # fmt: skip


def test_an_administrator_sets_them_and_everybody_sees_them(clients: Clients) -> None:
    ask_for(clients, "environment", "data", "data")

    found = shown(clients.viewer)

    assert (found.require, found.set_by) == (["data", "environment"], "ada")
    assert found.recorded_at is not None


def test_nobody_else_sets_them(clients: Clients) -> None:
    for client in (clients.developer, clients.approver, clients.service):
        with pytest.raises(Forbidden):
            client.call(set_requirements, SetRequirements(require=[]))


def test_only_known_words_are_taken(client: FileClient) -> None:
    request = SetRequirements(require=["luck"])  # type: ignore[list-item]

    with pytest.raises(Invalid) as refused:
        client.call(set_requirements, request)

    assert refused.value.field is not None
    assert "require" in refused.value.field


def test_a_change_is_an_event_and_the_same_again_is_none(clients: Clients) -> None:
    ask_for(clients, "data", "code")
    ask_for(clients, "code", "data")
    ask_for(clients)

    told = story.events(clients.viewer, kind="requirements.set")

    assert [event.facts["require"] for event in told] == [["data", "code"], []]
    assert told[1].facts["before"] == ["data", "code"]
    assert shown(clients.viewer).require == []


@EACH
@DOORS
def test_what_is_missing_is_refused_and_named(
    clients: Clients, requirement: Requirement, register: Any
) -> None:
    ask_for(clients, requirement)
    run = lacking(clients.developer, requirement)

    with pytest.raises(Blocked, match=f"{requirement} is missing") as refused:
        register(clients.developer, run)

    assert len(refused.value.reasons) == 1
    assert "version.registered" not in story.kinds(clients.viewer)


@EACH
@DOORS
def test_what_lacks_something_else_is_registered(
    clients: Clients, requirement: Requirement, register: Any
) -> None:
    ask_for(clients, *(one for one in REQUIREMENTS if one != requirement))

    register(clients.developer, lacking(clients.developer, requirement))

    listed = clients.viewer.call(registry.list_versions, registry.ListVersions(model=MODEL))
    assert [one.version for one in listed] == [1]


@DOORS
def test_a_complete_run_is_registered(clients: Clients, register: Any) -> None:
    ask_for(clients, *REQUIREMENTS)
    run = story.open_run(clients.developer)
    story.log_data(clients.developer, run, "training")

    register(clients.developer, run)


def test_all_that_is_missing_is_told_at_once(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    run = story.open_run(clients.developer, code={}, environment={})

    with pytest.raises(Blocked) as refused:
        door_by_id(clients.developer, run)

    assert [reason.split()[0] for reason in refused.value.reasons] == list(REQUIREMENTS)


def test_what_was_missing_may_be_supplied_later(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    client = clients.developer
    run = story.open_run(client, code={}, environment={})
    trained = story.log_model(client, run)
    with pytest.raises(Blocked):
        story.register(client, trained)

    story.log_data(client, run, "training")
    said = {"source_digest": "sha256:0"}
    told = DescribeRun(run=run, code=said, environment=story.ENVIRONMENT)
    client.call(describe_run, told)

    assert story.register(client, trained) == 1


def test_a_hold_out_is_not_what_it_trained_on(clients: Clients) -> None:
    ask_for(clients, "data")
    run = story.open_run(clients.developer)
    story.log_data(clients.developer, run, "validation", "holdout")

    with pytest.raises(Blocked, match="data is missing"):
        door_by_id(clients.developer, run)


def test_an_input_of_another_tools_client_is_data_whatever_it_calls_it(clients: Clients) -> None:
    ask_for(clients, "data")
    run = story.open_run(clients.developer)
    inputs = LogInputs(run=run, datasets=[InputDataset(name="d", digest="1", role="fit")])
    clients.developer.call(dataset_contract.log_inputs, inputs)

    door_by_source(clients.developer, run)


@DOORS
def test_an_unattested_run_counts_for_nothing(clients: Clients, register: Any) -> None:
    ask_for(clients, "code")
    run = story.open_run(clients.developer, attested=False)

    with pytest.raises(Blocked, match="unattested"):
        register(clients.developer, run)


def test_a_deleted_run_counts_for_nothing(clients: Clients) -> None:
    ask_for(clients, "code")
    run = story.open_run(clients.developer)
    trained = story.log_model(clients.developer, run)
    clients.developer.call(tracking.delete_run, NameRun(run=run))

    with pytest.raises(Blocked, match="is deleted"):
        story.register(clients.developer, trained)


def test_a_run_that_is_only_named_counts_for_nothing(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    client = clients.developer
    create(client)
    run = story.open_run(client)
    story.log_data(client, run, "training")

    with pytest.raises(Blocked, match="no run of this workspace is known"):
        add(client, run=run)


def test_the_files_of_one_run_and_the_name_of_another_count_for_nothing(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    client = clients.developer
    good, bad = story.open_run(client), story.open_run(client, code={}, environment={})
    story.log_data(client, good, "training")
    create(client)
    file = FileEntry(path="model", digest=story.put(client, b"trees"), size=5)
    client.call(artifact_contract.put_artifact, PutArtifact(place=f"runs/{bad}", file=file))

    with pytest.raises(Blocked, match="no run of this workspace is known"):
        add(client, run=good, place=f"runs/{bad}", prefix="model")


def test_a_claimed_run_that_is_opened_later_counts_for_nothing(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    client, claimed, trained = clients.developer, new_id(), new_id()
    made = CreateTrained(id=trained, experiment="0", name="trees", claimed_run=claimed)
    client.call(model_contract.create_trained, made)
    file = FileEntry(path="model", digest=story.put(client, b"trees"), size=5)
    client.call(artifact_contract.put_artifact, PutArtifact(place=f"models/{trained}", file=file))
    client.call(model_contract.finalize, Finalize(id=trained, state="ready"))
    opened = tracking.OpenRun(id=claimed, code=story.CODE, environment=story.ENVIRONMENT)
    client.call(tracking.open_run, opened)
    story.log_data(client, claimed, "training")
    create(client)

    with pytest.raises(Blocked, match="no run of this workspace is known"):
        add(client, trained_model=trained, place=f"models/{trained}")
    with pytest.raises(Blocked, match="no run of this workspace is known"):
        story.register(client, trained)


def test_a_copy_is_held_to_the_same(clients: Clients) -> None:
    door_by_source(clients.developer, lacking(clients.developer, "code"))
    ask_for(clients, "code")

    with pytest.raises(Blocked, match="code is missing"):
        add(clients.developer, copied_model=MODEL, copied_version=1)


def test_a_prompt_needs_no_run(clients: Clients) -> None:
    ask_for(clients, *REQUIREMENTS)
    create(clients.developer, "greeting", kind="prompt")

    assert add(clients.developer, "greeting", source="Hello").version == 1


def test_a_version_that_is_there_is_answered_again(clients: Clients) -> None:
    trained = story.log_model(clients.developer, lacking(clients.developer, "data"))
    first = story.register(clients.developer, trained)

    ask_for(clients, "data")

    assert story.register(clients.developer, trained) == first


def test_the_refusal_is_an_event(clients: Clients) -> None:
    ask_for(clients, "data")
    run = lacking(clients.developer, "data")
    trained = story.log_model(clients.developer, run)
    request = RegisterVersion(model=MODEL, trained_model=trained)
    with pytest.raises(Blocked):
        clients.developer.call(registry.register_version, request)

    (told,) = story.events(clients.viewer, kind="operation.refused")

    assert (told.subject, told.actor, told.outcome) == ("model.register", "dora", "refused")
    assert told.facts["reasons"][0].startswith("data is missing")


def test_a_workspace_asks_of_its_own_alone(
    clients: Clients, app: Any, tokens: dict[str, str], transport: str
) -> None:
    ask_for(clients, "code")
    other = story.elsewhere(app, tokens)

    assert other.call(show_requirements, ShowRequirements()).require == []
    other.call(set_requirements, SetRequirements(require=["data"]))
    assert shown(clients.viewer).require == ["code"]
