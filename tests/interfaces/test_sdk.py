"""The SDK without a server: everything that needs none works in this process, the rest says so."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mainspring.core.errors import Unavailable, Unreachable
from mainspring.core.home import Home
from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import ListRuns, NameRun


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    found = Client(home=home)
    yield found
    found.close()


def test_a_run_is_recorded_in_this_process(client: Client) -> None:
    with client.run("first", config={"rate": 0.1}) as run:
        run.log({"loss": 0.5, "strange": math.inf}, step=1)
        run.log({"loss": math.nan}, step=2)
        run.log_params({"rate": 0.1})

    assert client.url is None
    shown = client.call(tracking.show_run, NameRun(run=run.id))
    assert (shown.status, shown.config, shown.params) == (
        "finished",
        {"rate": 0.1},
        {"rate": "0.1"},
    )
    logged = {one.key: one.last for one in shown.metrics if not one.key.startswith("system/")}
    assert logged == {"loss": "NaN", "strange": "Infinity"}
    assert shown.environment["packages"]["mainspring"]


def test_a_run_that_breaks_has_failed(client: Client) -> None:
    with pytest.raises(ZeroDivisionError), client.run("breaks"):
        raise ZeroDivisionError

    runs = client.call(tracking.list_runs, ListRuns()).items
    assert [run.status for run in runs] == ["failed"]


def test_a_bad_name_of_a_metric_is_mended_and_said_once(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with client.run("names") as run:
        for _ in range(3):
            run.log({"f1@10": 0.5})

    shown = client.call(tracking.show_run, NameRun(run=run.id))
    logged = {one.key: one.count for one in shown.metrics if not one.key.startswith("system/")}
    assert (shown.status, logged) == ("finished", {"f1_10": 3})
    assert [one.message for one in caplog.records] == ["metric 'f1@10' is kept as 'f1_10'"]


def test_the_same_rows_are_one_dataset_however_they_are_chunked(client: Client) -> None:
    rows = pa.table({"x": [1.0, None, 3.0], "name": ["a", "b", None]})
    pieces = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])

    with client.run() as run:
        whole = run.log_dataset(rows, name="rows")
        chunked = run.log_dataset(pieces, name="rows", role="holdout")
        other = run.log_dataset(rows.slice(0, 2), name="rows", role="evaluation")

    assert whole.digest == chunked.digest != other.digest
    assert [column["missing"] for column in whole.columns] == [1, 1]


def test_two_processes_share_a_home_by_turns(home: Path, client: Client) -> None:
    other = Client(home=home)
    runs: list[str] = []

    def work(mine: Client) -> None:
        for _ in range(5):
            with mine.run() as run:
                runs.append(run.id)

    threads = [threading.Thread(target=work, args=(one,)) for one in (client, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    other.close()
    listed = client.call(tracking.list_runs, ListRuns()).items
    assert sorted(run.id for run in listed) == sorted(runs)


def test_what_needs_a_server_says_so_at_once(client: Client) -> None:
    client.suite("late", checks={"latency": {"p99_ms": 50}}, approvals=0)
    with client.run("late") as run:
        for role in ("training", "holdout"):
            run.log_dataset({"x": [1.0]}, name="rows", role=role)
        run.log_model(b"graph", engine="onnx", sample={"x": [1.0]})

    with pytest.raises(Unavailable, match="wait for a server") as caught:
        client.promote(client.register(run, "late"))
    assert caught.value.fix is not None
    assert "mainspring up" in caught.value.fix


def test_a_token_is_shown_to_the_homes_own_server_alone(home: Path, client: Client) -> None:
    client.call(tracking.list_runs, ListRuns())
    assert Home(home).token() is not None

    with pytest.raises(Unreachable, match="no server runs"):
        Client(home=home, token="msp_x_y")
