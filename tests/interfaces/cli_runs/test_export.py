"""`mainspring runs export`: whole runs, all their values, their files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainspring.core.operation import FileClient
from mainspring.tracking import artifact_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import FileEntry, LogRun, Series
from tests import story
from tests.house import Clients
from tests.interfaces.absent import uninstall
from tests.interfaces.cli_runs.shell import Shell

AT = 1_700_000_000_000_001
MOMENT = "2023-11-14T22:13:20.000001Z"


def logged(client: FileClient, name: str, **series: list[Any]) -> str:
    """A finished run with series of values."""
    run = story.open_run(client, name=name)
    given = [
        Series(key=key, steps=list(range(len(values))), at=[AT] * len(values), values=values)
        for key, values in series.items()
    ]
    client.call(tracking.log_run, LogRun(run=run, series=given))
    story.finish(client, run)
    return run


def keep(client: FileClient, run: str, path: str, content: bytes) -> None:
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    client.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))


def test_json_has_all_of_a_run_with_every_value(shell: Shell, clients: Clients) -> None:
    run = logged(clients.developer, "a", auc=[0.5, 0.25], loss=["NaN", "-Infinity"])
    story.log_data(clients.developer, story.open_run(clients.developer), "training")

    (found,) = shell("runs", "export", "a").json["runs"]

    assert (found["id"], found["code"]) == (run, story.CODE)
    assert found["history"]["auc"] == {"step": [0, 1], "at": [MOMENT] * 2, "value": [0.5, 0.25]}
    assert found["history"]["loss"]["value"] == ["NaN", "-Infinity"]


def test_csv_has_a_line_for_each_value(shell: Shell, clients: Clients) -> None:
    a = logged(clients.developer, "a", auc=[0.1, "NaN"])
    b = logged(clients.developer, "b", auc=["Infinity"])

    rows = list(csv.reader(io.StringIO(shell("runs", "export", "a", "b", "--format", "csv").out)))

    assert rows == [
        ["run", "key", "step", "at", "value"],
        [a, "auc", "0", MOMENT, "0.1"],
        [a, "auc", "1", MOMENT, "NaN"],
        [b, "auc", "0", MOMENT, "Infinity"],
    ]


def test_parquet_has_typed_columns(shell: Shell, clients: Clients, tmp_path: Path) -> None:
    a = logged(clients.developer, "a", auc=[0.1, "NaN"], loss=["Infinity"])

    said = shell("runs", "export", "a", "-o", str(tmp_path / "values.parquet"))
    table = pq.read_table(tmp_path / "values.parquet")

    assert said.code == 0
    assert "1 run in " in said.err
    assert table.column_names == ["run", "key", "step", "at", "value"]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    assert table["run"].to_pylist() == [a] * 3
    assert repr(table["value"].to_pylist()) == "[0.1, nan, inf]"


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_runs_without_values_and_no_runs_at_all_are_whole_files(
    shell: Shell, clients: Clients, tmp_path: Path, form: str
) -> None:
    logged(clients.developer, "a")
    place = tmp_path / f"x.{form}"

    for words in (("a",), ("--filter", "run_name = 'nobody'")):
        assert shell("runs", "export", *words, "-o", str(place)).code == 0

    read: Any = {
        "json": lambda: json.loads(place.read_text())["runs"],
        "csv": lambda: place.read_text().splitlines()[1:],
        "parquet": lambda: pq.read_table(place).to_pylist(),
    }[form]
    assert read() == []


def test_runs_that_fit_a_filter_are_exported_in_one_file(
    shell: Shell, clients: Clients, tmp_path: Path
) -> None:
    for name, auc in (("a", 0.5), ("b", 0.6), ("c", 0.7)):
        logged(clients.developer, name, auc=[auc])

    place = tmp_path / "new"
    said = shell(
        "runs", "export", "--filter", "metrics.auc > 0.55", "--experiment", "Default",
        "--status", "finished", "-o", str(place), "--json",
    )  # fmt: skip

    file = place / "runs.json"
    assert said.json["file"] == str(file)
    assert [run["name"] for run in json.loads(file.read_text())["runs"]] == ["c", "b"]
    assert [one.name for one in place.iterdir()] == ["runs.json"]


def test_the_files_of_runs_and_their_models_come_along(
    shell: Shell, clients: Clients, tmp_path: Path
) -> None:
    run = story.open_run(clients.developer, name="a")
    keep(clients.developer, run, "plots/roc.png", b"roc")
    trained = story.log_model(clients.developer, run)
    place = tmp_path / "new"

    said = shell("runs", "export", "a", "--artifacts", "-o", str(place))

    folder = place / "artifacts" / run
    assert (folder / "plots/roc.png").read_bytes() == b"roc"
    assert (folder / f"models/{trained}/model.txt").read_bytes() == b"trees"
    assert json.loads((place / "runs.json").read_text())["runs"][0]["id"] == run
    assert "3 files in all" in said.err


def test_an_export_that_fails_leaves_what_was_there(
    shell: Shell, clients: Clients, tmp_path: Path
) -> None:
    logged(clients.developer, "a")
    place = tmp_path / "new" / "runs.json"
    place.parent.mkdir()
    place.write_text("before")

    said = shell("runs", "export", "a", "0" * 32, "-o", str(place))

    assert said.code == 4
    assert place.read_text() == "before"
    assert [one.name for one in place.parent.iterdir()] == ["runs.json"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name the runs, or say which fit"),
        (("a", "--filter", "metrics.auc > 1"), "name the runs, or say which fit"),
        (("a", "--artifacts"), "not written to standard output"),
        (("a", "--format", "parquet"), "Parquet is not written to standard output"),
        (("a", "--format", "xml"), "'xml'"),
        (("a", "-o", "runs.xlsx"), "the ending of no format: json, csv, parquet"),
        (("a", "-o", "/dev/null/runs.json"), "/dev/null/runs.json cannot be written: "),
    ],
)
def test_what_cannot_be_written_is_refused(
    shell: Shell, clients: Clients, words: tuple[str, ...], told: str
) -> None:
    logged(clients.developer, "a")

    said = shell("runs", "export", *words)

    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_what_is_there_already_is_written_into_or_through(
    shell: Shell, clients: Clients, tmp_path: Path
) -> None:
    logged(clients.developer, "a", auc=[0.5])
    place, link = tmp_path / "x.csv", tmp_path / "link.csv"
    place.write_text("before")
    link.symlink_to(place)

    through = shell("runs", "export", "a", "-o", str(link))
    into = shell("runs", "export", "a", "-o", "/dev/null", "--format", "csv")

    assert (through.code, into.code) == (0, 0)
    assert link.is_symlink()
    assert place.read_text().startswith("run,key,step")
    assert Path("/dev/null").is_char_device()


def test_parquet_without_arrow_names_the_extra_and_leaves_nothing(
    shell: Shell, clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(clients.developer, "a", auc=[0.5])
    place = tmp_path / "new" / "x.parquet"
    uninstall(monkeypatch, "pyarrow")

    said = shell("runs", "export", "a", "-o", str(place))

    assert said.code == 7
    assert "fix: pip install 'mainspring[loop]'" in said.err
    assert list(place.parent.iterdir()) == []


def test_many_metrics_are_few_row_groups(shell: Shell, clients: Clients, tmp_path: Path) -> None:
    for name in "ab":
        logged(clients.developer, name, auc=[0.1], loss=[0.2, 0.3])

    shell("runs", "export", "a", "b", "-o", str(tmp_path / "x.parquet"))

    written = pq.ParquetFile(tmp_path / "x.parquet").metadata
    assert (written.num_rows, written.num_row_groups) == (6, 1)


def test_a_file_is_no_folder_for_files(shell: Shell, clients: Clients, tmp_path: Path) -> None:
    logged(clients.developer, "a")
    place = tmp_path / "x.json"
    place.write_text("before")

    said = shell("runs", "export", "a", "--artifacts", "-o", str(place))

    assert said.code == 6
    assert place.read_text() == "before"
