"""Datasets on the server: what is said of them, how they are found, compared and traced."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.errors import Invalid, NotFound
from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract
from mainspring.tracking.contract import NameRun, RunDataset
from mainspring.tracking.dataset_comparison import difference
from mainspring.tracking.dataset_contract import (
    CompareDatasets,
    DatasetDetail,
    DatasetDifference,
    InputDataset,
    ListDatasets,
    LogDataset,
    LogInputs,
    ShowDataset,
)
from tests import story
from tests.house import Clients

DIGEST = "sha256:" + "a" * 64


def foreign(clients: Clients, experiment: str, source: str) -> RunDataset:
    """The dataset of a new run, as another tool's client logs it."""
    run = story.open_run(clients.developer, experiment=experiment)
    said = InputDataset(name="iris", digest=DIGEST, source=source)
    request = LogInputs(run=run, datasets=[said])
    clients.developer.call(dataset_contract.log_inputs, request)
    (kept,) = clients.developer.call(tracking.show_run, NameRun(run=run)).datasets
    return kept


def test_another_experiment_says_its_own_of_the_same_data(clients: Clients) -> None:
    sources = [
        foreign(clients, experiment, source).source
        for experiment, source in (("a", "s3://a"), ("b", "s3://b"), ("a", "s3://later"))
    ]

    assert sources == ["s3://a", "s3://b", "s3://a"]


def test_our_own_client_finds_no_dataset_of_another_tool(clients: Clients) -> None:
    foreign(clients, "a", "s3://a")
    run = story.open_run(clients.developer, experiment="a")
    columns = [{"name": "x"}]
    request = LogDataset(
        run=run, name="iris", digest=DIGEST, role="training", rows=3, columns=columns
    )

    kept = clients.developer.call(dataset_contract.log_dataset, request)

    assert (kept.rows, kept.columns, kept.source) == (3, columns, "")


COLUMNS: list[dict[str, Any]] = [
    {"name": "x", "type": "float64", "missing": 0, "mean": 1.0, "quantiles": {"0.5": 1.0}},
    {"name": "label", "type": "int64", "missing": 0, "top": [{"value": 1, "count": 2}]},
]


def log(clients: Clients, data: bytes, name: str = "flights", **said: Any) -> str:
    """A new run that used the data; answers the run."""
    run = story.open_run(clients.developer, name="a run", experiment="delays")
    fields = {"role": "training", "rows": 3, "columns": COLUMNS, **said}
    request = LogDataset(run=run, name=name, digest=digest_of(data), **fields)
    clients.developer.call(dataset_contract.log_dataset, request)
    return run


def show(clients: Clients, dataset: str, **more: Any) -> DatasetDetail:
    request = ShowDataset(dataset=dataset, **more)
    return clients.viewer.call(dataset_contract.show_dataset, request)


def compare(clients: Clients, left: str, right: str) -> DatasetDifference:
    request = CompareDatasets(left=left, right=right)
    return clients.viewer.call(dataset_contract.compare_datasets, request)


def test_datasets_are_listed_page_by_page_with_what_runs_called_them(clients: Clients) -> None:
    log(clients, b"1", split="train", source_type="csv")
    log(clients, b"1", split="test", role="evaluation")
    log(clients, b"2")
    log(clients, b"3", name="weather")

    def page(**asked: Any) -> Any:
        return clients.viewer.call(dataset_contract.list_datasets, ListDatasets(**asked))

    first = page(name="flights", limit=1)
    second = page(name="flights", limit=1, after=first.next)
    (older,) = second.items

    assert [one.name for one in page().items] == ["weather", "flights", "flights"]
    assert [one.digest for one in first.items] == [digest_of(b"2")]
    assert (older.columns, older.rows, older.runs, older.source_type) == (2, 3, 2, "csv")
    assert (older.splits, older.roles) == (["test", "train"], ["evaluation", "training"])
    assert second.next is None
    assert page(name="nothing").items == []


def test_a_dataset_is_found_by_name_digest_or_both(clients: Clients) -> None:
    log(clients, b"1")
    log(clients, b"2")
    old, new = digest_of(b"1"), digest_of(b"2")

    found = {
        reference: show(clients, reference).digest
        for reference in (
            "flights", old, old.removeprefix("sha256:"), old[:15], old[7:15],
            f"flights@{old[7:15]}", f"flights@{old}",
        )
    }  # fmt: skip

    assert found.pop("flights") == new
    assert set(found.values()) == {old}


@pytest.mark.parametrize(
    "reference", ["nobody", "flights@00000000", "00000000", "weather@{old}", "fli", "{old}@flights"]
)
def test_what_names_no_dataset_is_not_found(clients: Clients, reference: str) -> None:
    log(clients, b"1")

    with pytest.raises(NotFound, match="no dataset") as error:
        show(clients, reference.format(old=digest_of(b"1")[7:15]))

    assert error.value.field == "dataset"


def test_the_beginning_of_two_digests_names_none(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    for end in "ab":
        digest = f"sha256:{'12345678' + end:0<64}"
        request = LogDataset(run=run, name=end, digest=digest, role="training", rows=1, columns=[])
        clients.developer.call(dataset_contract.log_dataset, request)

    with pytest.raises(Invalid, match="'12345678' may be sha256:12345678") as error:
        show(clients, "12345678")

    assert error.value.fix == "type more of the digest"
    assert show(clients, "12345678a").name == "a"
    assert show(clients, "a@12345678").name == "a"


def test_a_dataset_tells_what_was_made_of_it_under_all_its_names(clients: Clients) -> None:
    first = log(clients, b"1", split="train")
    second = log(clients, b"1", name="delays", role="evaluation")
    trained = story.log_model(clients.developer, second)
    log(clients, b"2")

    found = show(clients, "flights@" + digest_of(b"1"))

    assert (found.names, found.columns, found.run_count) == (["flights", "delays"], COLUMNS, 2)
    assert [(one.run, one.name, one.role, one.split) for one in found.runs] == [
        (second, "delays", "evaluation", ""),
        (first, "flights", "training", "train"),
    ]
    assert (found.runs[0].run_name, found.runs[0].experiment) == ("a run", "delays")
    assert [(one.id, one.run) for one in found.models] == [(trained, second)]
    assert (found.splits, found.roles) == (["train"], ["evaluation", "training"])


def test_deleted_runs_do_not_count_as_uses(clients: Clients) -> None:
    gone = log(clients, b"1")
    story.log_model(clients.developer, gone)
    kept = log(clients, b"1")
    clients.developer.call(tracking.delete_run, NameRun(run=gone))

    found = show(clients, "flights")

    assert ([one.run for one in found.runs], found.run_count, found.models) == ([kept], 1, [])


def test_as_many_uses_are_told_as_are_asked_for(clients: Clients) -> None:
    runs = [log(clients, b"1") for _ in range(3)]

    found = show(clients, "flights", limit=2)

    assert [one.run for one in found.runs] == [runs[2], runs[1]]
    assert found.run_count == 3


def test_our_own_word_on_the_data_is_shown_before_that_of_another_tool(clients: Clients) -> None:
    run = log(clients, b"1", name="iris")
    said = InputDataset(name="iris", digest=digest_of(b"1"), source="s3://a")
    clients.developer.call(dataset_contract.log_inputs, LogInputs(run=run, datasets=[said]))
    foreign(clients, "a", "s3://b")

    assert show(clients, digest_of(b"1")).columns == COLUMNS


def test_the_columns_of_another_tool_are_read_from_its_schema(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    schema = '{"mlflow_colspec": [{"type": "double", "name": "x", "required": true}]}'
    for digest, text in (("d1", schema), ("d2", "no JSON"), ("d3", "[1]")):
        said = InputDataset(name="iris", digest=digest, schema=text)
        clients.developer.call(dataset_contract.log_inputs, LogInputs(run=run, datasets=[said]))

    assert show(clients, "iris@d1").columns == [{"name": "x", "type": "double"}]
    assert show(clients, "iris@d2").columns == show(clients, "iris@d3").columns == []


def test_two_versions_are_compared(clients: Clients) -> None:
    log(clients, b"1")
    changed = [{**COLUMNS[0], "mean": 2.0, "missing": 5}, {"name": "new", "type": "text"}]
    log(clients, b"2", columns=changed, rows=10)

    found = compare(clients, f"flights@{digest_of(b'1')}", "flights")

    assert (found.same, found.rows, found.added, found.removed) == (False, 7, ["new"], ["label"])
    assert [(one.name, one.facts) for one in found.changed] == [
        ("x", {"missing": (0, 5), "mean": (1.0, 2.0)})
    ]
    assert (found.left.rows, found.right.columns) == (3, 2)
    assert compare(clients, "flights", "flights").same


def test_a_comparison_names_the_side_that_is_not_there(clients: Clients) -> None:
    log(clients, b"1")

    with pytest.raises(NotFound) as error:
        compare(clients, "flights", "weather")

    assert error.value.field == "right"


def test_types_order_and_nested_facts_are_compared() -> None:
    left: list[dict[str, Any]] = [
        {"name": "a", "type": "int64", "missing": 0, "quantiles": {"0.5": 1.0, "0.9": 2.0}},
        {"name": "b", "type": "text", "top": [{"value": "x", "count": 3}]},
    ]
    right: list[dict[str, Any]] = [
        {"name": "b", "type": "text", "top": [{"value": "x", "count": 9}]},
        {"name": "a", "type": "float64", "missing": 0, "quantiles": {"0.5": 1.5, "0.9": 2.0}},
    ]

    found = difference(left, right)

    assert found.reordered
    assert (found.added, found.removed) == ([], [])
    assert found.changed == [("a", {"type": ("int64", "float64"), "quantiles.0.5": (1.0, 1.5)})]


def test_a_side_that_tells_only_types_is_compared_by_types() -> None:
    rich = [{"name": "a", "type": "int64", "missing": 0, "mean": 1.0}]

    assert difference(rich, [{"name": "a", "type": "int64"}]).changed == []
    assert difference(rich, [{"name": "a", "type": "long"}]).changed == [
        ("a", {"type": ("int64", "long")})
    ]
