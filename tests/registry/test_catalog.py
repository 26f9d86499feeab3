"""The catalogue: models without versions, versions by source, tags, stages without gates."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import StartDeployment
from mainspring.registry import catalog_contract as contract
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameModel, RegisterVersion, Resolve, SetAlias
from mainspring.registry.model import ModelVersion
from mainspring.tracking import artifact_contract
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.run import files_digest
from tests import story
from tests.house import Clients, at_once
from tests.registry.catalog import ELSEWHERE, add, create, delete, move, rename, version
from tests.story import MODEL


def log_file(client: FileClient, run: str, path: str, content: bytes) -> None:
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    client.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))


def test_a_model_without_a_version_has_what_was_said_of_it(clients: Clients) -> None:
    model = create(clients.developer, description="late?", tags={"team": "delays", "a/b": ""})

    assert model == clients.viewer.call(registry.show_model, NameModel(model=MODEL))
    assert (model.description, model.tags) == ("late?", {"team": "delays", "a/b": ""})
    assert (model.kind, model.versions, model.production, model.aliases) == ("model", 0, None, {})


def test_a_name_is_taken_once(clients: Clients) -> None:
    create(clients.developer)

    with pytest.raises(Conflict, match="exists") as caught:
        create(clients.developer)
    assert caught.value.field == "model"


def test_of_many_at_once_one_gets_the_name(clients: Clients) -> None:
    found = at_once(*[lambda: create(clients.developer)] * 6)

    assert [type(one) for one in found].count(Conflict) == 5


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "12", ".a", "a ", "a\x00", "", "x" * 251])
def test_a_name_that_a_reference_cannot_carry_is_refused(clients: Clients, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        create(clients.developer, name)
    assert caught.value.field == "model"


@pytest.mark.parametrize("name", ["modèle 1", "a.b-c_d", "100%", "a?b#c", "模型"])
def test_other_names_are_names(clients: Clients, name: str) -> None:
    create(clients.developer, name)
    add(clients.developer, name)

    request = Resolve(model=name, reference="1")
    assert clients.viewer.call(registry.resolve, request).model == name


def test_versions_count_on(clients: Clients) -> None:
    create(clients.developer)

    first = add(clients.developer, run="another-tool's", run_link="https://x/", tags={"k": "v"})
    second = add(clients.developer, description="better")

    assert (first.version, second.version) == (1, 2)
    assert (first.source, first.run, first.run_link) == (ELSEWHERE, "another-tool's", "https://x/")
    assert (first.tags, second.description) == ({"k": "v"}, "better")
    assert (first.stage, first.digest, first.files) == ("development", None, [])


def test_of_many_at_once_each_gets_a_number(clients: Clients) -> None:
    create(clients.developer)

    found = at_once(*[lambda: add(clients.developer)] * 6)

    assert sorted(one.version for one in found if isinstance(one, ModelVersion)) == [*range(1, 7)]


def test_a_version_needs_a_model(clients: Clients) -> None:
    with pytest.raises(NotFound, match="no model"):
        add(clients.developer)


def test_files_of_a_run_are_fixed_when_the_version_is_made(clients: Clients) -> None:
    developer = clients.developer
    run = story.open_run(developer)
    log_file(developer, run, "model/trees.txt", b"one")
    log_file(developer, run, "model0", b"beside it")
    create(developer)

    made = add(developer, place=f"runs/{run}", prefix="model", source=f"runs:/{run}/model")
    log_file(developer, run, "model/more.txt", b"later")

    assert [file.path for file in made.files] == ["trees.txt"]
    assert made.digest == files_digest((f.path, f.digest, f.size) for f in made.files)
    assert made.run == run
    assert version(developer, 1) == made


def test_a_trained_models_files_are_its_versions(clients: Clients) -> None:
    developer = clients.developer
    run, trained = story.train(developer)
    create(developer)

    made = add(developer, place=f"models/{trained}", source=f"models:/m-{trained}")
    known = developer.call(
        registry.register_version, RegisterVersion(model=MODEL, trained_model=trained)
    )

    assert (made.run, made.trained_model, made.engine) == (run, trained, "lightgbm")
    assert known == made


def test_a_copy_has_the_files_of_what_it_copies(clients: Clients) -> None:
    made = story.version(clients.developer)

    copied = add(
        clients.developer, copied_model=MODEL, copied_version=1, source=f"models:/{MODEL}/1"
    )

    assert copied.digest == version(clients.developer, 1).digest is not None
    assert (copied.version, copied.run) == (2, made.run)


def test_files_of_one_run_under_the_name_of_another_prove_nothing(clients: Clients) -> None:
    """Else a bad model would get the good provenance of a run that somebody else made."""
    developer = clients.developer
    good, _ = story.train(developer)
    bad = story.open_run(developer)
    log_file(developer, bad, "model/trees.txt", b"bad")
    story.declare(developer)
    create(developer, "other")

    made = add(developer, "other", place=f"runs/{bad}", prefix="model", run=good)

    assert (made.run, made.digest) == (good, None)


def test_an_unknown_trained_model_is_nobodys(clients: Clients) -> None:
    create(clients.developer)

    with pytest.raises(NotFound) as caught:
        add(clients.developer, trained_model=new_id())
    assert caught.value.field == "trained_model"


def test_a_version_whose_files_are_elsewhere_cannot_be_promoted(clients: Clients) -> None:
    story.declare(clients.developer)
    create(clients.developer)
    run, _ = story.train(clients.developer)
    add(clients.developer, run=run)

    with pytest.raises(Blocked) as caught:
        story.ask(clients.developer, 1)
    assert caught.value.reasons == [
        "its files are not kept here, or are not those of the run it names"
    ]


def test_tags_are_set_replaced_and_taken_off(clients: Clients) -> None:
    developer = clients.developer
    create(developer, tags={"a": "1"})
    add(developer, tags={"a": "1"})
    for key, value in (("a", "2"), ("b/c", "3")):
        on_model = contract.TagModel(model=MODEL, key=key, value=value)
        developer.call(contract.tag_model, on_model)
        on_version = contract.TagVersion(model=MODEL, version=1, key=key, value=value)
        developer.call(contract.tag_version, on_version)

    developer.call(contract.untag_model, contract.UntagModel(model=MODEL, key="a"))
    developer.call(contract.untag_version, contract.UntagVersion(model=MODEL, version=1, key="a"))

    assert developer.call(registry.show_model, NameModel(model=MODEL)).tags == {"b/c": "3"}
    assert version(developer, 1).tags == {"b/c": "3"}


def test_a_tag_that_is_not_there_is_off_already(clients: Clients) -> None:
    create(clients.developer)
    before = story.kinds(clients.admin)

    request = contract.UntagModel(model=MODEL, key="a")

    assert clients.developer.call(contract.untag_model, request).count == 0
    assert story.kinds(clients.admin) == before


def test_a_description_changes(clients: Clients) -> None:
    create(clients.developer)
    made = add(clients.developer)

    request = contract.DescribeVersion(model=MODEL, version=1, description="the best")
    found = clients.developer.call(contract.describe_version, request)

    assert found.description == "the best"
    assert found.updated_at is not None
    assert found.updated_at > made.recorded_at


def test_a_deleted_version_is_gone_and_its_number_stays_taken(clients: Clients) -> None:
    developer = clients.developer
    create(developer)
    add(developer)
    developer.call(registry.set_alias, SetAlias(model=MODEL, alias="best", version=1))

    delete(developer, 1)

    assert add(developer).version == 2
    with pytest.raises(NotFound, match="no version 1"):
        version(developer, 1)
    with pytest.raises(NotFound, match="no alias"):
        developer.call(registry.resolve, Resolve(model=MODEL, reference="best"))
    assert [one.version for one in latest(developer)] == [2]


def latest(client: FileClient, *stages: Any) -> list[ModelVersion]:
    request = contract.LatestVersions(model=MODEL, stages=[*stages])
    return client.call(contract.latest_versions, request)


def test_the_newest_of_each_stage_is_told(clients: Clients) -> None:
    create(clients.developer)
    for stage in ("archived", "production", "archived", "production", "staging", "development"):
        move(clients.developer, add(clients.developer).version, stage)

    assert {one.stage: one.version for one in latest(clients.viewer)} == {
        "development": 6, "staging": 5, "production": 4, "archived": 3,
    }  # fmt: skip
    assert [one.version for one in latest(clients.viewer, "staging", "archived")] == [5, 3]


def test_a_stage_without_a_gate_holds_several_or_one(clients: Clients) -> None:
    create(clients.developer)
    for _ in range(3):
        add(clients.developer)
    for number in (1, 2):
        move(clients.developer, number, "production")

    move(clients.developer, 3, "production", archive_existing=True)

    stages = [version(clients.developer, number).stage for number in (1, 2, 3)]
    assert stages == ["archived", "archived", "production"]
    told = story.events(clients.admin, model=MODEL)[-1]
    assert (told.kind, told.facts["replaced"]) == ("version.staged", [1, 2])


def test_only_stages_in_use_are_taken_over(clients: Clients) -> None:
    create(clients.developer)
    add(clients.developer)

    with pytest.raises(Invalid) as caught:
        move(clients.developer, 1, "archived", archive_existing=True)
    assert caught.value.field == "archive_existing"


def test_what_passed_no_gate_is_not_served(clients: Clients) -> None:
    story.version(clients.developer)
    move(clients.developer, 1, "production")

    with pytest.raises(Blocked, match="has passed no gate"):
        clients.deployer.call(deployment.start, StartDeployment(model=MODEL))


def test_a_renamed_model_keeps_its_versions_and_aliases(clients: Clients) -> None:
    create(clients.developer)
    add(clients.developer)
    clients.developer.call(registry.set_alias, SetAlias(model=MODEL, alias="best", version=1))

    found = rename(clients.developer, MODEL, "other")

    assert (found.name, found.versions, found.aliases) == ("other", 1, {"best": 1})
    with pytest.raises(NotFound):
        clients.viewer.call(registry.show_model, NameModel(model=MODEL))


def test_a_name_that_is_taken_is_no_new_name(clients: Clients) -> None:
    create(clients.developer)
    create(clients.developer, "other")

    with pytest.raises(Conflict, match="exists"):
        rename(clients.developer, MODEL, "other")


def test_a_deleted_model_makes_room_for_another(clients: Clients) -> None:
    create(clients.developer, tags={"a": "1"})
    add(clients.developer, tags={"a": "1"})
    move(clients.developer, 1, "staging")
    clients.developer.call(registry.set_alias, SetAlias(model=MODEL, alias="best", version=1))

    clients.developer.call(contract.delete_model, NameModel(model=MODEL))

    with pytest.raises(NotFound):
        clients.viewer.call(registry.show_model, NameModel(model=MODEL))
    again = create(clients.developer)
    assert (again.versions, again.tags, again.aliases) == (0, {}, {})
