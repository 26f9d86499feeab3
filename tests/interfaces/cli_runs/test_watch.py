"""`mainspring runs watch`: each look at a run shows what is new since the one before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mainspring.core.clock import to_micros, utc_now
from mainspring.core.operation import FileClient, Request
from mainspring.interfaces.cli import runs_watch
from mainspring.tracking import artifact_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import FileEntry, FinishRun, LogRun, Series
from tests import story
from tests.house import Clients, Clock
from tests.interfaces.cli_runs.shell import Shell

Between = Callable[..., None]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Between:
    """Let one thing happen between each look and the next."""
    waiting: list[Callable[[], object]] = []

    def pause(_: float) -> None:
        assert waiting, "the run has not ended, and nothing more happens"
        waiting.pop(0)()

    monkeypatch.setattr(runs_watch, "sleep", pause)
    return lambda *happens: waiting.extend(happens)


def measure(client: FileClient, run: str, key: str, step: int, value: Any) -> None:
    at = to_micros(utc_now())
    series = Series(key=key, steps=[step], at=[at], values=[value])
    client.call(tracking.log_run, LogRun(run=run, series=[series]))


def put_out(client: FileClient, run: str, stream: str, number: int, text: str) -> None:
    content = text.encode()
    path = f"console/{stream}-{number:05}.txt"
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    client.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))


def end(client: FileClient, run: str, status: Any = "finished") -> None:
    client.call(tracking.finish_run, FinishRun(run=run, status=status))


def test_values_and_lines_are_told_once_and_the_end_is_a_success(
    shell: Shell, clients: Clients, between: Between
) -> None:
    client = clients.developer
    run = story.open_run(client, name="trees")
    measure(client, run, "auc", 1, 0.5)
    between(
        lambda: measure(client, run, "auc", 2, 0.123456),
        lambda: put_out(client, run, "stdout", 0, "one\ntw"),
        lambda: put_out(client, run, "stdout", 1, "o\nthree"),
        lambda: measure(client, run, "system/cpu", 2, 50),
        lambda: put_out(client, run, "stderr", 0, "oh\n"),
        lambda: end(client, run),
    )

    said = shell("runs", "watch", "trees")

    assert said.code == 0
    assert said.out.splitlines() == ["step 1  auc 0.5", "step 2  auc 0.1235", "one", "two", "three"]
    assert said.err.splitlines() == [
        f"{run[:8]} is running", "oh",
        f"{run[:8]} is finished: mainspring runs show {run[:8]}",
    ]  # fmt: skip


def test_that_it_runs_is_told_before_its_values(
    shell: Shell, clients: Clients, between: Between
) -> None:
    run = story.open_run(clients.developer)
    measure(clients.developer, run, "auc", 1, 0.5)
    between(lambda: end(clients.developer, run))

    said = shell("runs", "watch", run, "--json")

    assert [next(iter(json.loads(line))) for line in said.out.splitlines()] == [
        "status", "metrics", "status",
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["failed", "killed"])
def test_a_run_that_ends_otherwise_ends_it_with_3(
    shell: Shell, clients: Clients, between: Between, status: str
) -> None:
    run = story.open_run(clients.developer)
    between(lambda: end(clients.developer, run, status))

    said = shell("runs", "watch", run)

    assert (said.code, said.out) == (3, "")
    assert f"is {status}" in said.err


def test_a_crash_ends_it_with_3(
    shell: Shell, clients: Clients, between: Between, clock: Clock
) -> None:
    run = story.open_run(clients.developer)

    def fall_silent() -> None:
        clock.advance(minutes=2)
        clients.service.call(tracking.sweep_runs, Request())

    between(fall_silent)

    assert shell("runs", "watch", run).code == 3


def test_as_json_each_change_is_a_line(shell: Shell, clients: Clients, between: Between) -> None:
    client = clients.developer
    run = story.open_run(client)
    between(
        lambda: measure(client, run, "loss", 1, "NaN"),
        lambda: None,
        lambda: put_out(client, run, "stderr", 0, "a\x1bb\n"),
        lambda: end(client, run),
    )

    said = shell("runs", "watch", run, "--json")

    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"status": "running"},
        {"metrics": {"loss": {"value": "NaN", "step": 1}}},
        {"stream": "stderr", "line": "a\x1bb"},
        {"status": "finished"},
    ]
    assert said.err == ""


def test_without_a_run_the_newest_that_runs_is_meant(
    shell: Shell, clients: Clients, between: Between
) -> None:
    story.open_run(clients.developer, name="older")
    newest = story.open_run(clients.developer, name="newest")
    end(clients.developer, story.open_run(clients.developer, name="over"))
    between(lambda: end(clients.developer, newest))

    assert newest[:8] in shell("runs", "watch").err


def test_where_nothing_runs_there_is_nothing_to_watch(shell: Shell) -> None:
    said = shell("runs", "watch")

    assert said.code == 4
    assert "no run is running" in said.err


def test_who_leaves_leaves_the_run_alone(shell: Shell, clients: Clients, between: Between) -> None:
    run = story.open_run(clients.developer)

    def leave() -> None:
        raise KeyboardInterrupt

    between(leave)

    assert shell("runs", "watch", run).code == 130
    assert story.run_of(clients.viewer, run).status == "running"
