"""Trained models from the first word of them: their files, digest, tags, links, measurements."""

from __future__ import annotations

import datetime as dt

import pytest

from mainspring.core.errors import Conflict, Forbidden, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract as registry
from mainspring.tracking import artifact_contract, dataset_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking import model_contract as contract
from mainspring.tracking.artifact_contract import NameArtifact, PutArtifact, RemoveArtifacts
from mainspring.tracking.contract import FileEntry, LogRun, Measured, Point, TrainedModel
from mainspring.tracking.dataset_contract import InputDataset, ListUsed, LogInputs
from mainspring.tracking.experiment_contract import NameExperiment, delete_experiment
from mainspring.tracking.model_contract import (
    CreateTrained,
    Finalize,
    LinkModels,
    LogTrainedParams,
    ModelLink,
    NameRunOfModels,
    NameTrainedModel,
    TagTrained,
    UntagTrained,
)
from mainspring.tracking.run import files_digest
from tests import story
from tests.house import Clients

NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)


def create(client: FileClient, **more: object) -> TrainedModel:
    fields = {"id": new_id(), "experiment": "0", "name": "trees", **more}
    return client.call(contract.create_trained, CreateTrained(**fields))  # type: ignore[arg-type]


def put(client: FileClient, model: str, path: str, content: bytes = b"trees") -> FileEntry:
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    request = PutArtifact(place=f"models/{model}", file=file)
    return client.call(artifact_contract.put_artifact, request)


def show(clients: Clients, model: str, *, deleted: bool = False) -> TrainedModel:
    request = NameTrainedModel(id=model, deleted=deleted)
    return clients.viewer.call(contract.show_trained, request)


def finalize(client: FileClient, model: str, state: str = "ready") -> TrainedModel:
    request = Finalize(id=model, state=state)  # type: ignore[arg-type]
    return client.call(contract.finalize, request)


def test_a_model_begins_pending(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    made = create(
        clients.developer, run=run, type="LLM", params={"depth": "7"}, tags={"any ✓": "thing"}
    )

    assert made == show(clients, made.id)
    assert (made.state, made.run, made.type, made.digest) == ("pending", run, "LLM", None)
    assert (made.params, made.tags, made.files) == ({"depth": "7"}, {"any ✓": "thing"}, [])


def test_creating_twice_creates_one(clients: Clients) -> None:
    made = create(clients.developer)

    assert create(clients.developer, id=made.id, name="another") == made


def test_a_run_that_is_elsewhere_is_only_claimed(clients: Clients) -> None:
    made = create(clients.developer, claimed_run="123")

    assert (made.run, made.claimed_run) == (None, "123")


def test_a_ready_model_has_a_digest_over_its_files(clients: Clients) -> None:
    made = create(clients.developer)
    files = [put(clients.developer, made.id, path) for path in ("MLmodel", "model/a", "b")]

    ready = finalize(clients.developer, made.id)

    assert ready.state == "ready"
    assert ready.digest == files_digest((file.path, file.digest, file.size) for file in files)
    assert ready.files == sorted(files, key=lambda file: file.path)


def test_a_ready_model_may_be_mended_and_has_another_digest_then(clients: Clients) -> None:
    made = create(clients.developer)
    put(clients.developer, made.id, "MLmodel")
    before = finalize(clients.developer, made.id)

    again = put(clients.developer, made.id, "MLmodel")
    mended = put(clients.developer, made.id, "MLmodel", b"other trees")

    found = clients.developer.call(contract.show_trained, NameTrainedModel(id=made.id))
    assert again.digest == before.files[0].digest
    assert found.files == [mended]
    assert found.digest == files_digest([(mended.path, mended.digest, mended.size)])
    told = story.events(clients.viewer, kind="model.trained")
    changes = [(event.digest_before, event.digest_after) for event in told]
    assert (before.digest, found.digest) in changes


def test_the_files_of_a_registered_version_stay_as_they_are(clients: Clients) -> None:
    made = create(clients.developer)
    put(clients.developer, made.id, "MLmodel")
    finalize(clients.developer, made.id)
    clients.developer.call(catalog.create_model, catalog.CreateModel(model="frozen"))
    place = f"models/{made.id}"
    version = catalog.AddVersion(model="frozen", place=place, source=f"models:/m-{made.id}")
    clients.developer.call(catalog.add_version, version)

    put(clients.developer, made.id, "MLmodel")
    put(clients.developer, made.id, "a-note")
    with pytest.raises(Conflict, match="a registered version was made of 'MLmodel'"):
        put(clients.developer, made.id, "MLmodel", b"other trees")
    for path in ("", "MLmodel"):
        with pytest.raises(Conflict, match="stays as it is"):
            clients.developer.call(
                artifact_contract.remove_artifacts, RemoveArtifacts(place=place, path=path)
            )


def test_a_model_that_failed_may_get_ready_later(clients: Clients) -> None:
    made = create(clients.developer)

    assert finalize(clients.developer, made.id, "failed").digest is None
    put(clients.developer, made.id, "MLmodel")
    assert finalize(clients.developer, made.id).digest is not None


def test_a_ready_model_that_fails_keeps_its_digest(clients: Clients) -> None:
    made = create(clients.developer)
    put(clients.developer, made.id, "MLmodel")
    ready = finalize(clients.developer, made.id)

    failed = finalize(clients.developer, made.id, "failed")
    again = finalize(clients.developer, made.id)

    assert (failed.state, failed.digest, again.digest) == ("failed", ready.digest, ready.digest)


def test_a_pending_model_becomes_no_version(clients: Clients) -> None:
    made = create(clients.developer)

    with pytest.raises(Conflict):
        story.register(clients.developer, made.id)


def test_a_model_of_ours_is_among_the_artifacts(clients: Clients) -> None:
    trained = story.log_model(clients.developer, story.open_run(clients.developer))
    request = NameArtifact(place=f"models/{trained}", path="model.txt")

    found = clients.viewer.call(artifact_contract.show_artifact, request)

    assert [found] == show(clients, trained).files


def test_a_deleted_model_is_gone_for_who_does_not_ask(clients: Clients) -> None:
    made = create(clients.developer)
    clients.developer.call(contract.delete_trained, NameTrainedModel(id=made.id))

    with pytest.raises(NotFound):
        show(clients, made.id)
    assert show(clients, made.id, deleted=True).deleted_at is not None
    with pytest.raises(NotFound):
        story.register(clients.developer, made.id)


def test_tags_are_set_changed_and_forgotten(clients: Clients) -> None:
    made = create(clients.developer, tags={"a": "1", "b": "2"})

    tags = {"b": "3", "c": ""}
    clients.developer.call(contract.tag_trained, TagTrained(id=made.id, tags=tags))
    clients.developer.call(contract.untag_trained, UntagTrained(id=made.id, key="a"))

    assert show(clients, made.id).tags == tags
    with pytest.raises(NotFound) as caught:
        clients.developer.call(contract.untag_trained, UntagTrained(id=made.id, key="a"))
    assert caught.value.field == "key"


def test_parameters_are_added_and_do_not_change(clients: Clients) -> None:
    made = create(clients.developer, params={"a": "1"})

    params = {"a": "1", "b": "2"}
    clients.developer.call(contract.log_trained_params, LogTrainedParams(id=made.id, params=params))

    assert show(clients, made.id).params == params
    with pytest.raises(Conflict, match="is '2' and cannot become '3'"):
        clients.developer.call(
            contract.log_trained_params, LogTrainedParams(id=made.id, params={"b": "3"})
        )


def test_nobody_changes_what_the_run_of_another_trained(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    made = create(clients.developer, run=run)

    with pytest.raises(Forbidden, match="is 'dora'"):
        finalize(clients.admin, made.id)
    with pytest.raises(Forbidden, match="is 'dora'"):
        put(clients.admin, made.id, "MLmodel")
    with pytest.raises(Forbidden, match="is 'dora'"):
        create(clients.admin, run=run)


def test_a_deleted_experiment_takes_no_model(clients: Clients) -> None:
    clients.developer.call(delete_experiment, NameExperiment(experiment="0"))

    with pytest.raises(Conflict, match="is deleted"):
        create(clients.developer)


def test_an_experiment_that_is_not_there_takes_none(clients: Clients) -> None:
    with pytest.raises(NotFound) as caught:
        create(clients.developer, experiment="17")
    assert caught.value.field == "experiment"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "a\x00"), ("params", {"": "x"}), ("tags", {"k": "\x00"}), ("run", "x")],
)
def test_what_breaks_a_rule_is_refused(clients: Clients, field: str, value: object) -> None:
    with pytest.raises(Invalid, match=field):
        create(clients.developer, **{field: value})


def test_a_run_is_linked_to_what_it_took_in_and_brought_out(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    models = [create(clients.developer).id for _ in range(2)]
    links = [
        ModelLink(trained_model=models[0], way="input"),
        ModelLink(trained_model=models[1], way="output", step=7),
    ]

    for _ in range(2):
        clients.developer.call(contract.link_models, LinkModels(run=run, models=links))

    assert clients.viewer.call(contract.list_links, NameRunOfModels(run=run)) == links


def test_a_model_that_is_not_there_is_not_linked(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    link = ModelLink(trained_model=new_id(), way="output")

    with pytest.raises(NotFound) as caught:
        clients.developer.call(contract.link_models, LinkModels(run=run, models=[link]))
    assert caught.value.field == "id"


def test_what_a_run_measures_of_a_model_is_kept_with_it(clients: Clients) -> None:
    run, made = story.open_run(clients.developer), create(clients.developer)
    measured = Measured(
        trained_model=made.id,
        point=Point(key="auc", value="NaN", step=3, at=NOON),
        dataset_name="flights",
        dataset_digest="abc",
    )

    for _ in range(2):
        clients.developer.call(tracking.log_run, LogRun(run=run, measured=[measured]))

    (metric,) = show(clients, made.id).metrics
    assert (metric.key, metric.value, metric.step, metric.at, metric.run) == (
        "auc", "NaN", 3, NOON, run,
    )  # fmt: skip
    assert (metric.dataset_name, metric.dataset_digest) == ("flights", "abc")


DATASET = InputDataset(
    name="any name / at: all", digest="short", role="train", source_type="http", source="{}",
    schema='{"a": 1}', profile="{}", tags={"foo": "baz"},
)  # fmt: skip


def test_inputs_are_kept_in_the_words_of_their_client(clients: Clients) -> None:
    run, model = story.open_run(clients.developer), create(clients.developer).id
    request = LogInputs(run=run, datasets=[DATASET], models=[model])

    counts = [clients.developer.call(dataset_contract.log_inputs, request).count for _ in "ab"]

    (kept,) = clients.viewer.call(tracking.show_run, tracking.NameRun(run=run)).datasets
    names = ("name", "digest", "role", "source_type", "source", "schema", "profile", "tags")
    assert [getattr(kept, name) for name in names] == [getattr(DATASET, name) for name in names]
    assert counts == [2, 0]
    assert clients.viewer.call(contract.list_links, NameRunOfModels(run=run)) == [
        ModelLink(trained_model=model, way="input")
    ]


def test_the_datasets_of_experiments_are_listed(clients: Clients) -> None:
    for experiment in ("a", "a", "b"):
        run = story.open_run(clients.developer, experiment=experiment)
        request = LogInputs(run=run, datasets=[DATASET])
        clients.developer.call(dataset_contract.log_inputs, request)
    keys = [
        clients.viewer.call(tracking.show_run, tracking.NameRun(run=row.id)).experiment_id
        for row in clients.viewer.call(tracking.list_runs, tracking.ListRuns()).items
    ]

    used = clients.viewer.call(dataset_contract.list_used, ListUsed(experiments=keys[-1:]))

    assert [(one.experiment, one.name, one.role) for one in used] == [
        (keys[-1], DATASET.name, "train")
    ]


def test_a_hold_out_is_not_chosen_afterwards(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    story.log_data(clients.developer, run, "holdout")
    another = InputDataset(name="other", digest="other", role="holdout")
    request = LogInputs(run=run, datasets=[another])

    with pytest.raises(Conflict, match="has a hold-out already"):
        clients.developer.call(dataset_contract.log_inputs, request)
    story.finish(clients.developer, run)
    with pytest.raises(Conflict, match="is finished"):
        clients.developer.call(dataset_contract.log_inputs, request)


def test_the_way_of_a_model_is_told(clients: Clients) -> None:
    made = create(clients.developer)
    put(clients.developer, made.id, "MLmodel")
    finalize(clients.developer, made.id)
    finalize(clients.developer, made.id)

    assert story.kinds(clients.viewer)[-3:] == [
        "trained_model.begun",
        "artifact.linked",
        "model.trained",
    ]


def test_a_ready_model_of_another_tool_becomes_a_version(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    made = create(clients.developer, run=run)
    put(clients.developer, made.id, "MLmodel")
    ready = finalize(clients.developer, made.id)

    number = story.register(clients.developer, made.id)

    request = registry.NameVersion(model=story.MODEL, version=number)
    assert clients.viewer.call(registry.show_version, request).digest == ready.digest
