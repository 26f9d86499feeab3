"""What is said of a dataset holds where it was said: in the experiment, or for our own client."""

from __future__ import annotations

from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract
from mainspring.tracking.contract import NameRun, RunDataset
from mainspring.tracking.dataset_contract import InputDataset, LogDataset, LogInputs
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
