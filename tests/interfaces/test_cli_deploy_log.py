"""`deploy log`: recorded predictions as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from mainspring.deployment import contract as deployment
from mainspring.interfaces.cli.program import main
from mainspring.serving.compaction import seal_journals
from tests import story
from tests.house import Clients
from tests.serving.logged import DAY, frame, journal


@pytest.fixture
def database_kind() -> str:
    """What is read are files."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


@pytest.fixture
def log_folder(tmp_path: Path) -> Path:
    """Two models, in Parquet and in a segment."""
    folder = tmp_path / "log"
    folder.mkdir()
    other = frame("c", at=2 * DAY, model="other")
    other.inputs["x"] = ("FP32", (2,), bytes(8))
    journal(folder, "w-000001.journal", frame("a", at=0), frame("b", at=DAY))
    seal_journals(folder)
    journal(folder, "w-000002.open", other, frame("b", at=DAY))
    return folder


def test_a_folder_becomes_a_parquet_file(
    log_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.parquet"

    assert (
        main(["deploy", "log", str(log_folder), "-o", str(out), "--model", "late", "--json"]) == 0
    )

    assert json.loads(capsys.readouterr().out) == {"file": str(out), "rows": 2}
    table = pq.read_table(out)
    assert table["request_id"].to_pylist() == ["a", "b"]
    assert table["input.x"].to_pylist() == [0.0, 0.0]
    assert table["output.score"].to_pylist() == [0.5, 0.5]


def test_a_window_becomes_csv(log_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    words = ["--since", "1970-01-02", "--model", "other", "--columns", "request_id"]

    assert (
        main(["deploy", "log", str(log_folder), "-o", str(out), *words, "--columns", "input.x"])
        == 0
    )

    assert pyarrow.csv.read_csv(out).to_pylist() == [{"request_id": "c", "input.x": "[0.0, 0.0]"}]


def test_standard_output_is_csv(
    log_folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    until = ["--until", "1970-01-02T00:00:00Z"]

    assert main(["deploy", "log", str(log_folder), *until, "--columns", "request_id"]) == 0

    assert capfdbinary.readouterr().out == b'"request_id"\n"a"\n'


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["./nowhere"], 4, "there is no folder"),
        (["{folder}", "-o", "out.xlsx"], 2, "the ending of no format"),
        (["{folder}", "--since", "soon"], 2, "is not a time"),
    ],
)
def test_what_cannot_be_done_is_said(
    log_folder: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    given = [word.replace("{folder}", str(log_folder)) for word in words]

    assert main(["deploy", "log", *given]) == code
    assert message in capsys.readouterr().err


def test_a_deployment_is_asked_where_its_log_is(
    clients: Clients,
    url: str,
    tokens: dict[str, str],
    log_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    story.declare(clients.developer)
    version = story.version(clients.developer)
    promotion = story.ask(clients.developer, version.number)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    clients.admin.call(deployment.start, deployment.StartDeployment(model=story.MODEL))
    out = tmp_path / "out.csv"
    words = ["deploy", "log", story.MODEL, "-o", str(out), "--url", url, "--token", tokens["ada"]]
    assert main(words) == 6
    assert "tells no log" in capsys.readouterr().err
    for folder, code in ((log_folder, 0), (tmp_path / "elsewhere", 4)):
        process = deployment.Process(pid=1, started=1, nonce="0a1b", port=5, log_folder=str(folder))
        report = deployment.Report(deployment=story.MODEL, state="ready", served=1, process=process)
        clients.service.call(deployment.report, report)

        assert main(words) == code

    assert len(out.read_text().splitlines()) == 4
    assert "run this on the machine of the deployment" in capsys.readouterr().err
