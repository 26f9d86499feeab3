"""`mainspring runs list`: which runs, which columns, how many there are."""

from __future__ import annotations

import pytest

from mainspring.core.operation import FileClient
from mainspring.interfaces.cli.cells import breadth, fitting
from tests.house import Clients
from tests.interfaces.cli_runs.recorded import logged
from tests.interfaces.cli_runs.shell import Shell


def three(client: FileClient) -> list[str]:
    """Runs that differ in the depth alone."""
    return [
        logged(
            client, f"run-{depth}",
            {"auc": [0.5, 0.1 * int(depth)], "system/cpu": [50.0]},
            {"depth": depth, "objective": "binary"},
        )
        for depth in ("6", "7", "8")
    ]  # fmt: skip


def test_a_list_shows_metrics_and_the_parameters_that_vary(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    three(clients.developer)

    said = shell("runs", "list")
    head, *rows = said.out.splitlines()

    assert head.split() == ["id", "name", "status", "started", "duration", "auc", "depth"]
    assert [row.split()[1] for row in rows] == ["run-8", "run-7", "run-6"]
    assert rows[0].split()[-2:] == ["0.8", "8"]
    assert "s ago" in rows[0]
    assert "3 of 3" in said.err


def test_a_list_in_a_pipe_is_whole(shell: Shell, clients: Clients) -> None:
    ids = three(clients.developer)

    lines = shell("runs", "list", "--order-by", "run_name").lines

    assert lines[0] == [
        "id", "name", "status", "started", "duration", "metrics.auc", "params.depth",
    ]  # fmt: skip
    assert [line[0] for line in lines[1:]] == ids
    assert lines[1][3].endswith("Z")
    assert float(lines[2][5]) == 0.1 * 7


def test_a_list_is_filtered_and_sorted_as_the_server_can(shell: Shell, clients: Clients) -> None:
    three(clients.developer)

    filtered = shell("runs", "list", "--filter", "metrics.auc > 0.65 and params.depth != '8'")
    by_auc = shell("runs", "list", "--order-by", "metrics.auc DESC", "--columns", "name")
    wrong = shell("runs", "list", "--filter", "metrics.auc >")

    assert [line[1] for line in filtered.lines[1:]] == ["run-7"]
    assert [line[0] for line in by_auc.lines[1:]] == ["run-8", "run-7", "run-6"]
    assert wrong.code == 2


def test_the_number_of_matches_is_exact_and_the_way_on_works(
    shell: Shell, clients: Clients
) -> None:
    for number in range(7):
        logged(clients.developer, f"run-{number}", {"auc": [number / 10]})

    first = shell("runs", "list", "--limit", "2", "--filter", "metrics.auc > 0.05")
    token = first.err.split()[-1]
    second = shell(
        "runs", "list", "--limit", "2", "--filter", "metrics.auc > 0.05", "--after", token
    )
    everything = shell("runs", "list", "--all", "--limit", "1")

    assert "2 of 6; more: --limit 6 or --after " in first.err
    assert [line[1] for line in second.lines[1:]] == ["run-4", "run-3"]
    assert "2 of 6; more: " in second.err
    assert len(everything.lines) == 8
    assert "7 of 7\n" in everything.err


def test_a_list_as_json_has_typed_values_and_the_total(shell: Shell, clients: Clients) -> None:
    logged(clients.developer, "one", {"auc": [0.7], "loss": ["NaN"]}, {"depth": "6"})
    logged(clients.developer, "two")

    found = shell("runs", "list", "--json", "--limit", "1", "--order-by", "run_name").json

    assert found["total"] == 2
    assert found["next"]
    assert found["items"][0]["metrics"] == {"auc": 0.7, "loss": "NaN"}
    assert found["items"][0]["params"] == {"depth": "6"}


def test_columns_are_chosen_by_name_and_pattern(shell: Shell, clients: Clients) -> None:
    three(clients.developer)

    said = shell("runs", "list", "--columns", "name,params.*", "--columns", "metrics.sys*")
    wrong = shell("runs", "list", "--columns", "nmae")

    assert said.lines[0] == ["name", "params.depth", "params.objective", "metrics.system/cpu"]
    assert wrong.code == 2
    assert "no column 'nmae'" in wrong.err
    assert "metrics.KEY" in wrong.err


def test_what_does_not_fit_the_terminal_is_counted(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    logged(clients.developer, "n" * 60, {f"metric number {at}": [1 / 3] for at in range(12)})

    said = shell("runs", "list")

    assert max(map(len, said.out.splitlines())) <= 100
    assert "0.3333" in said.out
    assert "11 columns left out (duration, metric number 10, " in said.err


def test_what_is_sorted_by_is_shown_first(shell: Shell, clients: Clients, terminal: None) -> None:
    logged(clients.developer, "a", {"aaa": [1], "val/auc": [2]})

    said = shell("runs", "list", "--order-by", 'metrics."val/auc" DESC')

    assert said.out.split()[5:7] == ["val/auc", "aaa"]


def test_a_list_by_experiment_and_state(shell: Shell, clients: Clients) -> None:
    logged(clients.developer, "here")
    logged(clients.developer, "there", experiment="exp")
    logged(clients.developer, "broken", experiment="exp", status="failed")

    mixed = shell("runs", "list")
    there = shell("runs", "list", "--experiment", "exp", "--status", "failed")
    nowhere = shell("runs", "list", "--experiment", "nope")

    assert "experiment" in mixed.lines[0]
    assert [line[1] for line in there.lines[1:]] == ["broken"]
    assert nowhere.code == 4


def test_a_narrow_terminal_shows_a_metric_and_a_parameter_before_times(
    shell: Shell, clients: Clients, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(clients.developer)
    monkeypatch.setenv("COLUMNS", "40")

    said = shell("runs", "list")

    assert said.out.splitlines()[0].split() == ["id", "name", "status", "auc", "depth"]
    assert "2 columns left out (started, duration)" in said.err


def test_what_most_runs_have_comes_before_what_few_have(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    logged(clients.developer, "a", {"rare": [1], "usual": [1]})
    logged(clients.developer, "b", {"usual": [2]})

    assert shell("runs", "list").out.split()[5:7] == ["usual", "rare"]


def test_wide_letters_stand_in_line(shell: Shell, clients: Clients, terminal: None) -> None:
    for name in ("深い木", "plain", "e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}"):
        logged(clients.developer, name)

    rows = shell("runs", "list").out.splitlines()

    before = [row[: row.index("finished")] for row in rows[1:]]
    assert {breadth(text) for text in before} == {18}


def test_a_long_wide_name_is_cut_to_its_columns() -> None:
    assert fitting("深い木", 6) == "深い木"
    assert fitting("深い木", 5) == "深い…"
    assert fitting("深い木", 4) == "深… "
    assert fitting("深い木", 8) == "深い木  "


def test_an_empty_list_is_no_failure_and_tells_why(shell: Shell, clients: Clients) -> None:
    before = shell("runs", "list")
    three(clients.developer)
    unfit = shell("runs", "list", "--filter", "metrics.auc > 3")
    deleted = shell("runs", "list", "--deleted")
    page = shell("runs", "list", "--limit", "2")
    end = shell("runs", "list", "--limit", "2", "--after", page.err.split()[-1])
    quiet = shell("runs", "list", "--filter", "metrics.auc > 3", "-q")

    assert [one.code for one in (before, unfit, deleted, end, quiet)] == [0] * 5
    assert before.err == (
        "no runs yet; make one: mainspring run -- python train.py, or ms.run in a script\n"
    )
    assert unfit.err == "none fits; without filters there are 3\n"
    assert deleted.err == "none is deleted\n"
    assert end.err == "1 of 3\n"
    assert (quiet.out, quiet.err) == ("", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--filter", "metrics.val/auc > 1"), "metrics.`val/auc` > 0.7 and params.depth = '6'"),
        (("--filter", "params.depth = 6"), "texts in quotes"),
        (("--order-by", "auc"), "metrics.`val/auc` DESC"),
        (("--after", "x"), "leave it out for the first page"),
        (("--experiment", "nope"), "mainspring experiments search"),
    ],
)
def test_a_search_that_is_refused_tells_how_it_is_written(
    shell: Shell, words: tuple[str, ...], told: str
) -> None:
    said = shell("runs", "list", *words)

    assert said.code in (2, 4)
    assert told in said.err.splitlines()[1]


def test_a_terminal_is_spared_the_token(shell: Shell, clients: Clients, terminal: None) -> None:
    three(clients.developer)

    assert shell("runs", "list", "--limit", "1").err == "1 of 3; more: --limit 3 or --all\n"
