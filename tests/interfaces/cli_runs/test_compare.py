"""`mainspring runs compare`: what differs, and by how much."""

from __future__ import annotations

import pytest

from mainspring.core.clock import to_micros, utc_now
from mainspring.core.operation import FileClient
from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract
from mainspring.tracking.contract import FinishRun, LogRun, Series
from mainspring.tracking.dataset_contract import LogDataset
from tests import story
from tests.house import Clients
from tests.interfaces.cli_runs.recorded import logged
from tests.interfaces.cli_runs.shell import Shell


def use(client: FileClient, run: str, digest: str) -> None:
    request = LogDataset(
        run=run, name="flights", digest=f"sha256:{digest * 64}", role="training", rows=1, columns=[]
    )
    client.call(dataset_contract.log_dataset, request)


def two(client: FileClient) -> tuple[str, str]:
    """Runs that differ in something of every kind."""
    made = []
    for name, rate, numpy, digest in (("a", 0.1, "2.4", "0"), ("b", 0.2, "2.5", "1")):
        run = story.open_run(
            client, name=name, config={"rate": rate, "kind": "trees"},
            code={"commit": name * 4, "branch": "main"},
            environment={"python": "3.11", "packages": {"numpy": numpy, "polars": "2"}},
        )  # fmt: skip
        use(client, run, digest)
        at = to_micros(utc_now())
        series = [Series(key="auc", steps=[0], at=[at], values=[0.5 + rate])]
        client.call(tracking.log_run, LogRun(run=run, series=series, params={"only": name}))
        client.call(tracking.finish_run, FinishRun(run=run))
        made.append(run)
    return made[0], made[1]


def test_a_comparison_shows_what_differs_alone(shell: Shell, clients: Clients) -> None:
    a, b = two(clients.developer)

    said = shell("runs", "compare", "a", "b")

    found = {(line[0], line[1]): line[2:] for line in said.lines}
    assert found["of", "key"] == [a, b]
    del found["run", "duration_s"]
    assert list(found) == [
        ("of", "key"), ("config", "rate"), ("params", "only"), ("metrics", "auc"),
        ("datasets", "training/flights"), ("code", "commit"), ("environment", "packages.numpy"),
    ]  # fmt: skip
    assert found["config", "rate"] == ["0.1", "0.2"]
    assert found["datasets", "training/flights"] == [f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"]
    assert f"next: mainspring data diff sha256:{'0' * 64} sha256:{'1' * 64}" in said.err
    assert "--all shows the rest" in said.err


def test_all_of_a_comparison_is_shown_when_asked_for(shell: Shell, clients: Clients) -> None:
    two(clients.developer)

    lines = shell("runs", "compare", "a", "b", "--all").lines

    assert ["config", "kind", "trees", "trees"] in lines
    assert ["environment", "packages.polars", "2", "2"] in lines


def test_a_comparison_as_json(shell: Shell, clients: Clients) -> None:
    a, b = two(clients.developer)
    c = logged(clients.developer, "c", {"loss": ["NaN"]})

    found = shell("runs", "compare", a, b, c, "--json").json

    assert [run["id"] for run in found["runs"]] == [a, b, c]
    assert found["differences"]["metrics"] == {
        "auc": [0.6, 0.7, None], "loss": [None, None, "NaN"]
    }  # fmt: skip


def test_a_comparison_on_a_terminal_tells_by_how_much(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    two(clients.developer)

    rows = [line.split() for line in shell("runs", "compare", "a", "b").out.splitlines()]

    assert ["auc", "0.6", "0.7", "+0.1"] in rows
    assert ["rate", "0.1", "0.2"] in rows


def test_a_nan_is_no_difference(shell: Shell, clients: Clients) -> None:
    for name in ("a", "b"):
        logged(clients.developer, name, {"loss": ["NaN"]})

    assert "metrics" not in shell("runs", "compare", "a", "b", "--json").json["differences"]


def test_what_the_machine_did_is_told_when_all_is_asked_for(shell: Shell, clients: Clients) -> None:
    for number, name in enumerate(("a", "b")):
        logged(clients.developer, name, {"auc": [number], "system/cpu": [number]})

    usual, everything = (
        shell("runs", "compare", "a", "b"),
        shell("runs", "compare", "a", "b", "--all"),
    )

    assert [line[1] for line in usual.lines if line[0] == "metrics"] == ["auc"]
    assert [line[1] for line in everything.lines if line[0] == "metrics"] == ["auc", "system/cpu"]


def test_runs_that_do_not_fit_beside_each_other_stand_below(
    shell: Shell, clients: Clients, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        logged(clients.developer, name, {"a rather long name of a metric": [ord(name)]})
    monkeypatch.setenv("COLUMNS", "50")

    out = shell("runs", "compare", "a", "b", "c", "d").out

    parts = [part.splitlines() for part in out.split("\n\n")]
    assert [[head[-1] for head in part[0].split("  ") if head] for part in parts] == [
        ["a", "b"], ["c", "d"],
    ]  # fmt: skip
    assert [part[-1].split()[-2:] for part in parts] == [["97", "98"], ["99", "100"]]
    assert all(part[-1].startswith("  a rather long nam…") for part in parts)


def test_a_parameter_is_compared_with_the_configuration_of_another(
    shell: Shell, clients: Clients
) -> None:
    logged(clients.developer, "a", None, {"depth": "6"}, config={"depth": 6, "flag": True})
    logged(clients.developer, "b", None, {"depth": "6", "flag": "False", "only": "x"})

    said = shell("runs", "compare", "a", "b", "--json").json["differences"]

    assert said["config"] == {"flag": [True, "False"]}
    assert said["params"] == {"only": [None, "x"]}


def test_a_comparison_takes_two_different_runs(shell: Shell, clients: Clients) -> None:
    run = logged(clients.developer, "a")

    said = shell("runs", "compare", run, "a")

    assert said.code == 2
    assert "1 runs are named, wanted 2 to 20" in said.err


def test_what_is_configuration_and_parameter_is_compared_once(
    shell: Shell, clients: Clients
) -> None:
    for name, depth in (("a", 6), ("b", 7)):
        config = {"depth": depth, "tree": {"leaves": 31}}
        logged(clients.developer, name, None, {"depth": str(depth)}, config=config)

    said = shell("runs", "compare", "a", "b", "--json").json["differences"]

    assert said["config"] == {"depth": [6, 7]}
    assert "params" not in said
