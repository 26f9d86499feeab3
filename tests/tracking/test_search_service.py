"""Searches as their callers see them, on both databases and both clients."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from mainspring.core.clock import EPOCH, to_micros
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient, Operation, Page
from mainspring.tracking import (
    contract,
    dataset_contract,
    experiment_contract,
    model_contract,
    search_contract,
)
from mainspring.tracking.contract import LogRun, Measured, NameRun, OpenRun, Point, TrainedModel
from mainspring.tracking.dataset_contract import InputDataset, LogInputs
from mainspring.tracking.experiment_contract import CreateExperiment, NameExperiment
from mainspring.tracking.model_contract import CreateTrained, Finalize, LinkModels, ModelLink
from mainspring.tracking.search_contract import FoundRun, SearchExperiments, SearchRuns
from tests.house import Clients

START = EPOCH + dt.timedelta(days=20_000)
MILLIS = to_micros(START) // 1000


def opened(client: FileClient, seconds: float = 0, **more: Any) -> str:
    """A run that began so many seconds after the first."""
    request = OpenRun(
        id=new_id(), started_at=START + dt.timedelta(seconds=seconds), watched=False, **more
    )
    return client.call(contract.open_run, request).id


def logged(client: FileClient, run: str, **more: Any) -> None:
    client.call(contract.log_run, LogRun(run=run, **more))


def search(client: FileClient, **more: Any) -> Page[FoundRun]:
    return client.call(search_contract.search_runs, SearchRuns(**more))


def ids(page: Page[Any]) -> list[str]:
    return [item.id for item in page.items]


def test_a_found_run_tells_all_that_was_logged(clients: Clients) -> None:
    client = clients.developer
    run = opened(client, name="first", user="dora@work")
    late = START + dt.timedelta(seconds=5)
    logged(
        client,
        run,
        points=[
            Point(key="loss", value=0.5, step=1, at=START),
            Point(key="loss", value="NaN", step=2, at=late),
            Point(key="auc", value="Infinity", at=START),
            Point(key="pi", value=0.1 + 0.2, step=-3, at=late),
        ],
        params={"depth": "7", "a b/c": 'quo"te\n'},
        tags={"team": "a", "empty": ""},
    )

    (found,) = search(clients.viewer).items

    assert (found.id, found.name, found.user, found.status) == (
        run,
        "first",
        "dora@work",
        "running",
    )
    assert (found.experiment_id, found.experiment, found.author) == ("0", "Default", "dora")
    assert (found.started_at, found.ended_at, found.deleted) == (START, None, False)
    assert sorted(found.metrics) == [
        ("auc", "Infinity", 0, to_micros(START)),
        ("loss", "NaN", 2, to_micros(late)),
        ("pi", 0.1 + 0.2, -3, to_micros(late)),
    ]
    assert found.params == {"depth": "7", "a b/c": 'quo"te\n'}
    assert found.tags == {"team": "a", "empty": ""}
    assert (found.datasets, found.models) == ([], [])


def test_a_found_run_tells_its_inputs_and_outputs(clients: Clients) -> None:
    client = clients.developer
    run, model = opened(client), new_id()
    data = InputDataset(
        name="flights", digest="d1", role="train", source_type="local", tags={"a": "b"}
    )
    client.call(dataset_contract.log_inputs, LogInputs(run=run, datasets=[data]))
    client.call(model_contract.create_trained, CreateTrained(id=model, experiment="0", name="m"))
    link = ModelLink(trained_model=model, way="output", step=3)
    client.call(model_contract.link_models, LinkModels(run=run, models=[link]))

    (found,) = search(clients.viewer, filter="dataset.context = 'train'").items

    (dataset,) = found.datasets
    assert (dataset.name, dataset.digest, dataset.role, dataset.tags) == (
        "flights", "d1", "train", {"a": "b"}
    )  # fmt: skip
    assert found.models == [link]


def test_one_run_is_found_by_its_id_deleted_or_not(clients: Clients) -> None:
    run = opened(clients.developer)
    clients.developer.call(contract.delete_run, NameRun(run=run))

    found = clients.viewer.call(search_contract.find_run, NameRun(run=run))

    assert (found.id, found.deleted) == (run, True)
    assert ids(search(clients.viewer)) == []
    assert ids(search(clients.viewer, view="deleted")) == [run]
    with pytest.raises(NotFound):
        clients.viewer.call(search_contract.find_run, NameRun(run=new_id()))


def test_the_newest_come_first_and_pages_go_on(clients: Clients) -> None:
    runs = [opened(clients.developer, seconds) for seconds in range(5)]

    first = search(clients.viewer, limit=2)
    second = search(clients.viewer, limit=2, after=first.next)
    third = search(clients.viewer, limit=2, after=second.next)

    assert ids(first) + ids(second) + ids(third) == runs[::-1]
    assert third.next is None


def test_a_full_last_page_has_no_next(clients: Clients) -> None:
    opened(clients.developer)

    assert search(clients.viewer, limit=1).next is None


def test_a_page_of_another_search_is_refused(clients: Clients) -> None:
    for seconds in range(2):
        opened(clients.developer, seconds)
    token = search(clients.viewer, limit=1).next

    with pytest.raises(Invalid, match="Filter string in the page token does not match"):
        search(clients.viewer, limit=1, after=token, filter="start_time > 0")
    with pytest.raises(Invalid, match="Order by in the page token does not match"):
        search(clients.viewer, limit=1, after=token, order_by=["start_time"])
    with pytest.raises(Invalid, match="Experiment IDs in the page token do not match"):
        search(clients.viewer, limit=1, after=token, experiments=["0"])
    with pytest.raises(Invalid, match="Invalid page token"):
        search(clients.viewer, limit=1, after="evilhax")


def test_times_are_compared_in_milliseconds(clients: Clients) -> None:
    run = opened(clients.developer, 0.0015)

    assert ids(search(clients.viewer, filter=f"start_time = {MILLIS + 1}")) == [run]
    assert ids(search(clients.viewer, filter=f"start_time > {MILLIS + 1}")) == []


def test_an_experiment_that_is_not_here_has_no_runs(clients: Clients) -> None:
    run = opened(clients.developer)

    assert ids(search(clients.viewer, experiments=["77"])) == []
    assert ids(search(clients.viewer, experiments=["77", "0"])) == [run]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"filter": "metrics.a >"}, "filter"),
        ({"filter": "params.a = 'a\x00'"}, "filter"),
        ({"order_by": ["metrics.a UPWARD"]}, "order_by"),
        ({"order_by": ["metrics.a", "metric.a DESC"]}, "order_by"),
        ({"order_by": [f"metrics.m{n}" for n in range(21)]}, "order_by"),
        ({"limit": 50_001}, "limit"),
        ({"limit": 0}, "limit"),
        ({"view": "some"}, "view"),
        ({"after": "x"}, "after"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(
    clients: Clients, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        search(clients.viewer, **fields)

    assert (refused.value.field or "").startswith(field)


def created(client: FileClient, *names: str, **tags: str) -> list[str]:
    create = experiment_contract.create_experiment
    return [client.call(create, CreateExperiment(name=name, tags=tags)).id for name in names]


def experiments(client: FileClient, text: str = "", *order_by: str, **more: Any) -> list[str]:
    request = SearchExperiments(filter=text, order_by=list(order_by), **more)
    return [one.name for one in client.call(search_contract.search_experiments, request).items]


def test_experiments_are_found_by_name_and_tag(clients: Clients) -> None:
    created(clients.developer, "a", key="value")
    created(clients.developer, "ab", key="vaLue")
    created(clients.developer, "Abc")
    client = clients.viewer

    assert experiments(client) == ["Abc", "ab", "a", "Default"]
    assert experiments(client, "attribute.name = 'a'") == ["a"]
    assert experiments(client, "attribute.`name` != 'a'") == ["Abc", "ab", "Default"]
    assert experiments(client, "name LIKE 'a%'") == ["ab", "a"]
    assert experiments(client, "name ILIKE 'a%' AND name ILIKE '%b'") == ["ab"]
    assert experiments(client, "tag.key = 'value'") == ["a"]
    assert experiments(client, "tag.key != 'value'") == ["ab"]
    assert experiments(client, "tag.key ILIKE '%alu%'") == ["ab", "a"]
    assert experiments(client, "tag.key IS NULL") == ["Abc", "Default"]
    assert experiments(client, "experiment_id IN ('0')") == ["Default"]
    assert experiments(client, "creation_time > 0 AND last_update_time < 1e999") == [
        "Abc", "ab", "a", "Default"
    ]  # fmt: skip


def test_experiments_are_sorted(clients: Clients) -> None:
    created(clients.developer, "y", "x", "Z")
    client = clients.viewer

    assert experiments(client, "", "name") == ["Default", "Z", "x", "y"]
    assert experiments(client, "", "name DESC") == ["y", "x", "Z", "Default"]
    assert experiments(client, "", "experiment_id ASC") == ["Default", "y", "x", "Z"]
    assert experiments(client, "", "last_update_time DESC")[-1] == "Default"


def test_deleted_experiments_are_seen_where_they_are_asked_for(clients: Clients) -> None:
    (gone,) = created(clients.developer, "gone")
    clients.developer.call(experiment_contract.delete_experiment, NameExperiment(experiment=gone))

    assert experiments(clients.viewer) == ["Default"]
    assert experiments(clients.viewer, view="deleted") == ["gone"]
    assert experiments(clients.viewer, view="all") == ["gone", "Default"]


def test_experiments_come_in_pages(clients: Clients) -> None:
    created(clients.developer, "a", "b", "c", "d")
    request = SearchExperiments(order_by=["name DESC"], limit=2)
    first = clients.viewer.call(search_contract.search_experiments, request)
    request = SearchExperiments(order_by=["name DESC"], limit=50, after=first.next)
    rest = clients.viewer.call(search_contract.search_experiments, request)

    assert [one.name for one in first.items + rest.items] == ["d", "c", "b", "a", "Default"]
    assert rest.next is None


def trained(client: FileClient, name: str, **more: Any) -> str:
    request = CreateTrained(id=new_id(), experiment="0", name=name, **more)
    return client.call(model_contract.create_trained, request).id


def measured(
    client: FileClient, run: str, model: str, value: float, on: str, second: int = 0
) -> None:
    at = START + dt.timedelta(seconds=second)
    point = Point(key="acc", value=value, at=at)
    said = Measured(trained_model=model, point=point, dataset_name=on, dataset_digest=f"{on}1")
    logged(client, run, measured=[said])


SEARCH_MODELS: Operation[Any, Page[TrainedModel]] = search_contract.search_trained_models


def models(client: FileClient, text: str = "", **more: Any) -> list[str]:
    request = search_contract.SearchTrainedModels(filter=text, **more)
    return [one.name for one in client.call(SEARCH_MODELS, request).items]


def test_trained_models_are_found_by_what_is_said_of_them(clients: Clients) -> None:
    client = clients.developer
    run = opened(client)
    first = trained(client, "one", run=run, type="sklearn", params={"a b": "x'y", "n": "1"})
    trained(client, "two", claimed_run="elsewhere", tags={"team": "a"})
    client.call(model_contract.finalize, Finalize(id=first, state="failed"))

    assert models(client) == ["two", "one"]
    assert models(client, "name = 'one'") == ["one"]
    assert models(client, "attributes.name LIKE 't%'") == ["two"]
    assert models(client, "name IN ('one', 'three')") == ["one"]
    assert models(client, "name NOT IN ('one',)") == ["two"]
    assert models(client, f"model_id = 'm-{first}'") == ["one"]
    assert models(client, f"model_id IN ('{first}')") == ["one"]
    assert models(client, "status = 'FAILED'") == ["one"]
    assert models(client, "status != 'LOGGED_MODEL_PENDING' AND model_type = 'sklearn'") == ["one"]
    assert models(client, f"source_run_id = '{run}'") == ["one"]
    assert models(client, "source_run_id = 'elsewhere'") == ["two"]
    assert models(client, 'params.`a b` = "x\'y"') == ["one"]
    assert models(client, "params.n LIKE '1%' AND params.missing != 'x'") == []
    assert models(client, "tags.team = 'a'") == ["two"]
    assert models(client, "creation_timestamp > 0") == ["two", "one"]
    assert models(client, "creation_timestamp = 0") == []
    assert models(client, experiments=["0"], limit=1) == ["two"]
    assert models(client, experiments=["77"]) == []


def test_trained_models_are_found_and_sorted_by_metrics_on_datasets(clients: Clients) -> None:
    client = clients.developer
    run = opened(client)
    low, high, none = (trained(client, name) for name in ("low", "high", "none"))
    measured(client, run, low, 0.1, "old")
    measured(client, run, low, 0.9, "new", 1)
    measured(client, run, high, 0.8, "old", 2)
    measured(client, run, high, 0.2, "new", 3)

    assert none
    assert models(client, "metrics.acc >= 0.8") == ["high", "low"]
    assert models(client, "metrics.acc >= 0.8", datasets=["old"]) == ["high"]
    assert models(client, "metrics.acc > 0", datasets=["old"], digests=["new1"]) == []
    assert models(client, datasets=["old"], digests=["old1"]) == ["high", "low"]
    assert models(client, order_by=["metrics.acc"]) == ["high", "low", "none"]
    assert models(client, order_by=["metrics.acc DESC"]) == ["low", "high", "none"]
    assert models(client, order_by=["metrics.acc"], order_datasets=["old"]) == [
        "low",
        "high",
        "none",
    ]
    assert models(client, order_by=["metrics.acc"], order_digests=["old1"]) == [
        "low",
        "high",
        "none",
    ]
    assert models(client, order_by=["name", "creation_time"]) == ["high", "low", "none"]


def test_trained_models_come_in_pages(clients: Clients) -> None:
    names = [f"m{n}" for n in range(5)]
    for name in names:
        trained(clients.developer, name)
    ask: dict[str, Any] = {"order_by": ["metrics.acc", "model_type", "name"], "limit": 2}
    found, after = [], None
    for _ in range(3):
        request = search_contract.SearchTrainedModels(after=after, **ask)
        page = clients.viewer.call(SEARCH_MODELS, request)
        found += [one.name for one in page.items]
        after = page.next

    assert (found, after) == (names, None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "Foo"}, "Invalid filter string"),
        ({"text": "name = 'foo' OR name = 'bar'"}, "Invalid filter string"),
        ({"text": "foo.bar = 'a'"}, "Invalid entity type"),
        ({"text": "name > 'foo'"}, "Invalid comparison operator"),
        ({"order_by": ["params.a"]}, "Invalid order_by entity"),
        ({"order_by": ["size"]}, "Invalid order by field name"),
    ],
)
def test_what_cannot_be_asked_of_trained_models_is_refused(
    clients: Clients, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        models(clients.viewer, **fields)
