"""`mainspring data`: what people see of datasets, and what programs get."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.core.blobs import digest_of
from mainspring.datasets.reading import Described, describe
from mainspring.interfaces.cli import output
from mainspring.tracking import dataset_contract
from mainspring.tracking.dataset_contract import LogDataset
from tests import story
from tests.house import Clients
from tests.interfaces.cli_runs.shell import Shell


@pytest.fixture
def database_kind() -> str:
    """The command line does not see which database it is."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def shell(url: str, tokens: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Shell:
    """Types commands."""
    return Shell(url, tokens, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person looks at standard output."""
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")


def flights(rows: int, **more: object) -> pa.Table:
    """Some flights."""
    late = np.arange(rows) % 3 == 0
    carriers = [["AA", "UA\x1b[31m", None][at % 3] for at in range(rows)]
    return pa.table({"distance": np.arange(rows) * 1.5, "carrier": carriers, "late": late, **more})


def logged(clients: Clients, table: pa.Table, split: str = "train") -> tuple[str, Described]:
    """A run that trained on the table; answers the run."""
    run = story.open_run(clients.developer, name="baseline")
    found = describe(table)
    request = LogDataset(
        run=run, name="flights", digest=found.digest, role="training", rows=found.rows,
        columns=found.columns, source_type=found.source_type, split=split,
    )  # fmt: skip
    clients.developer.call(dataset_contract.log_dataset, request)
    return run, found


def test_a_dataset_is_told_with_its_columns_runs_and_models(
    shell: Shell, clients: Clients, terminal: None
) -> None:
    run, found = logged(clients, flights(300))
    trained = story.log_model(clients.developer, run)

    said = shell("data", "show", "flights", "--no-color")

    assert said.code == 0, said.err
    assert "rows: 300" in said.out
    assert f"digest: {found.digest}" in said.out
    assert "0 … 448.5, mean 224.2" in said.out
    assert "100 (33 %)" in said.out
    assert "UA\N{REPLACEMENT CHARACTER}[31m (100)" in said.out
    assert f"{run[:8]}  baseline  Default     running  training  train" in said.out
    assert trained[:8] in said.out


def test_piped_columns_are_tab_separated(shell: Shell, clients: Clients) -> None:
    logged(clients, flights(3))

    said = shell("data", "show", "flights")

    assert said.lines[0][:5] == ["name", "type", "count", "missing", "distinct"]
    assert said.lines[1] == ["distance", "float64", "3", "0", "3", "0.0", "1.5", "3.0", "1.5"]


def test_json_is_what_the_api_answers(shell: Shell, clients: Clients) -> None:
    run, found = logged(clients, flights(3))

    shown = shell("data", "show", found.digest[7:15], "--json").json

    assert shown["columns"] == json.loads(json.dumps(found.columns))
    assert [one["run"] for one in shown["runs"]] == [run]
    assert shell("data", "show", "flights", "-q").out == f"{found.digest}\n"


def test_uses_that_are_left_out_are_counted(shell: Shell, clients: Clients, terminal: None) -> None:
    for _ in range(3):
        logged(clients, flights(3))

    assert "2 of 3 runs; more: --limit N" in shell("data", "show", "flights", "--limit", "2").err


def test_a_comparison_tells_what_differs(shell: Shell, clients: Clients) -> None:
    _, old = logged(clients, flights(3))
    logged(clients, flights(6, extra=pa.nulls(6)).drop_columns("late"))

    said = shell("data", "diff", f"flights@{old.digest[7:15]}", "flights")
    told = shell("data", "diff", "flights", "flights")

    assert said.code == 0
    assert said.lines[0] == ["column", "what", "left", "right"]
    assert ["", "rows", "3", "6"] in said.lines
    assert ["extra", "column", "", "added"] in said.lines
    assert ["late", "column", "removed", ""] in said.lines
    assert ["distance", "max", "3.0", "7.5"] in said.lines
    assert "3 rows, 3 columns" in said.err
    assert (told.lines[1:], told.err.splitlines()[-1]) == ([], "the same data")


def test_a_comparison_fits_a_terminal(shell: Shell, clients: Clients, terminal: None) -> None:
    _, old = logged(clients, flights(3))
    logged(clients, flights(6))

    said = shell("data", "diff", f"flights@{old.digest[7:15]}", "flights", "--no-color")

    assert "distance  max" in said.out
    assert shell("data", "diff", "flights", "flights", "--json").json["same"] is True


def test_the_list_tells_versions(shell: Shell, clients: Clients) -> None:
    _, old = logged(clients, flights(3))
    _, new = logged(clients, flights(4), split="late")

    listed = shell("data", "list", "--name", "flights")
    page = shell("data", "list", "--limit", "1")

    assert [line[:4] for line in listed.lines[1:]] == [
        ["flights", new.digest, "4", "3"],
        ["flights", old.digest, "3", "3"],
    ]
    assert "--after " in page.err


def test_what_is_not_there_ends_with_4(shell: Shell) -> None:
    assert shell("data", "show", "nothing").code == 4


def test_a_file_is_digested_without_a_server(tmp_path: Path) -> None:
    table, path = flights(3), tmp_path / "a.parquet"
    pq.write_table(table, path)
    mainspring = [sys.executable, "-m", "mainspring", "data", "digest", str(path)]

    done = subprocess.run(mainspring, capture_output=True, text=True, check=True, cwd=tmp_path)

    assert done.stdout == f"{describe(table).digest}\n"
    assert done.stderr == "parquet: 3 rows, 3 columns\n"


def test_a_digest_of_bytes_or_of_rows_in_any_order_is_asked_for(
    shell: Shell, tmp_path: Path
) -> None:
    table, path = flights(3), tmp_path / "a.parquet"
    pq.write_table(table, path)

    assert shell("data", "digest", str(path), "--bytes", "-q").out.strip() == digest_of(
        path.read_bytes()
    )
    assert shell("data", "digest", str(path), "--any-order", "--json").json["digest"] == (
        describe(table.take([2, 1, 0]), ordered=False).digest
    )
