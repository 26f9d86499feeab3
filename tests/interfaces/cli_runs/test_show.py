"""`mainspring runs show`: one run with all that it recorded, by whatever name."""

from __future__ import annotations

from typing import Any

from mainspring.core.clock import to_micros, utc_now
from mainspring.core.operation import FileClient
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import LogRun, Series
from tests import story
from tests.house import Clients
from tests.interfaces.cli_runs.recorded import keep, logged
from tests.interfaces.cli_runs.shell import Shell


def full(client: FileClient) -> str:
    """A run that recorded something of every kind."""
    run = story.open_run(
        client, name="trees", user="theo", config={"rate": 0.1, "model": {"depth": 6}},
        tags={"team": "a", "note": "the first\nthat works"},
        environment={"python": "3.11.7", "packages": {"numpy": "2.4", "lightgbm": "4.7"}},
        code={"commit": "c0ffee", "dirty": True, "arguments": ["--rate", "0.1"]},
    )  # fmt: skip
    at = to_micros(utc_now())
    values: list[Any] = [0.9, 0.5, 0.123456, "NaN"]
    series = [Series(key="loss", steps=[0, 1, 2, 3], at=[at] * 4, values=values)]
    client.call(tracking.log_run, LogRun(run=run, series=series, params={"depth": "6"}))
    story.log_data(client, run, "training", "holdout")
    story.log_model(client, run)
    keep(client, run, "plot.png", b"x" * 1500)
    for number, text in enumerate(("first\nsec", "ond\nthird\n")):
        keep(client, run, f"console/stdout-{number:05}.txt", text.encode())
    keep(client, run, "console/stderr-00000.txt", b"oh\x1b[2J no\n")
    logged(client, "fold-1", {"auc": [0.75], "system/cpu": [3]}, parent=run)
    story.finish(client, run)
    return run


def test_a_run_is_shown_with_all_that_it_recorded(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    run = full(clients.developer)

    out = shell("runs", "show", "trees").out
    lines = [line.split() for line in out.splitlines()]

    assert f"id: {run}" in out
    assert "author: dora for theo" in out
    assert ["the", "first"] in lines
    assert ["depth:", "6"] in lines
    assert ["key", "last", "min", "max", "best", "at", "step", "points"] in lines
    assert ["loss", "NaN", "0.1235", "0.9", "0.1235", "2", "4"] in lines
    assert ["training", "training", "-", "1000", "sha256:d2f3f3a5", "-"][:4] in [
        line[:4] for line in lines
    ]
    assert ["plot.png", "1.5", "KB"] in lines
    assert "code and console: 3 files" in out
    assert ["commit:", "c0ffee"] in lines
    assert "packages: 2; --packages names them" in out
    assert ["team:", "a"] in lines
    assert "finished fold-1 auc=0.75\n" in out
    assert "third" not in out


def test_what_is_configuration_and_parameter_is_shown_once(shell: Shell, clients: Clients) -> None:
    config = {"depth": 6, "tree": {"leaves": 31, "kind": "a"}}
    logged(clients.developer, "a", None, {"depth": "6", "tree.leaves": "31"}, config=config)

    lines = shell("runs", "show", "a").out.splitlines()

    start = lines.index("config:")
    assert lines[start : start + 5] == [
        "config:", "  tree.kind: a", "params:", "  depth: 6", "  tree.leaves: 31",
    ]  # fmt: skip


def test_packages_and_the_end_of_what_was_printed_are_shown_when_asked_for(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    full(clients.developer)

    out = shell("runs", "show", "trees", "--packages", "--logs").out

    assert "lightgbm: 4.7" in out
    assert out[out.index("stdout:") :].splitlines() == [
        "stdout:", "  first", "  second", "  third",
        "stderr:", "  oh\N{REPLACEMENT CHARACTER}[2J no",
    ]  # fmt: skip


def test_a_run_as_json_is_the_answer_of_the_api_and_its_logs_if_wanted(
    shell: Shell, clients: Clients
) -> None:
    run = full(clients.developer)

    found = shell("runs", "show", run[:6], "--json", "--logs").json

    assert found["config"] == {"rate": 0.1, "model": {"depth": 6}}
    assert found["logs"]["stdout"] == ["first", "second", "third"]
    assert "logs" not in shell("runs", "show", run, "--json").json


def test_a_long_output_is_shown_by_its_end(shell: Shell, clients: Clients) -> None:
    run = story.open_run(clients.developer)
    for number in range(5):
        text = "".join(f"line {number}-{at} ä\n" for at in range(30)).encode()
        keep(clients.developer, run, f"console/stdout-{number:05}.txt", text)

    lines = shell("runs", "show", run, "--json", "--logs").json["logs"]["stdout"]

    assert len(lines) == 50
    assert (lines[0], lines[-1]) == ("line 3-10 ä", "line 4-29 ä")


def test_a_run_is_found_by_a_name_that_it_alone_has(shell: Shell, clients: Clients) -> None:
    run = logged(clients.developer, "it's \"mine\"? no, 'ours'"[:12])
    logged(clients.developer, "twin")
    logged(clients.developer, "twin")

    assert shell("runs", "show", 'it\'s "mine"?', "-q").code == 4
    assert shell("runs", "show", run[:4], "-q").out == f"{run}\n"
    twin, short = shell("runs", "show", "twin"), shell("runs", "show", run[:3])

    assert (twin.code, short.code) == (2, 4)
    assert "fix: name it by its id" in twin.err
    assert twin.err.count("('twin', finished, 2") == 2
    assert "of an id, 4 characters are enough" in short.err
    unknown = shell("runs", "show", "0" * 32)
    assert unknown.code == 4
    assert "fix: mainspring runs list" in unknown.err


def test_a_run_that_was_renamed_by_a_deleted_twin_is_still_found(
    shell: Shell, clients: Clients
) -> None:
    gone, here = logged(clients.developer, "twin"), logged(clients.developer, "twin")
    shell("runs", "rm", gone)

    assert shell("runs", "show", "twin", "-q").out == f"{here}\n"
    assert "deleted: " in shell("runs", "show", gone).out
    assert shell("runs", "restore", "twin", "-q").out == f"{gone}\n"
