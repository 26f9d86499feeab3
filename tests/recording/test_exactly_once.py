"""What a run told arrives exactly once, wherever the line or the process that ships it breaks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mainspring.core.errors import MainspringError, Unreachable
from mainspring.core.operation import FileClient, Request
from mainspring.recording.delivery import Delivery
from mainspring.recording.run import Run
from mainspring.recording.spool import SpoolFolder, folders
from mainspring.recording.sync import sync
from mainspring.tracking import contract
from mainspring.tracking.contract import ListRuns
from tests.house import Clients, Clock
from tests.recording.lines import Break, Line, begun, told

pytestmark = pytest.mark.slow

STEPS = 40


@pytest.fixture
def transport() -> str:
    """The line is what breaks, not HTTP."""
    return "in process"


def train(run: Run, folder: Path) -> None:
    """Tell of a run whatever can be told."""
    report = folder / "report.txt"
    report.write_text("well")
    for step in range(STEPS):
        run.log({"loss": 1 / (step + 1), "auc": step / STEPS}, step=step)
        if step == 10:
            run.log_params({"depth": 6})
            run.log_artifact(report)
            run.set_tags({"team": "delays"})
    run.log_dataset({"x": [1, 2], "label": [0, 1]}, name="tiny")
    run.log_table({"a": [1]}, "a.json")
    run.console("stdout", b"epoch 1\n")
    run.rename("renamed")


def recorded_offline(client: FileClient, spool: Path, folder: Path) -> SpoolFolder:
    """A run whose process wrote everything down and shipped nothing."""
    run = begun(client, spool, name="laptop", config={"rate": 0.1}, mode="offline")
    train(run, folder)
    run.finish()
    (found,) = folders(spool)
    return found


def shipped(line: Line, folder: SpoolFolder) -> bool:
    """Ship as a process that was just started does; answers whether the line held."""
    target = folder.target()
    assert target is not None
    again = SpoolFolder(folder.path)
    assert again.own()
    try:
        Delivery(again, target.run).ship_last(line)
    except Unreachable:
        return False
    finally:
        again.disown()
    return True


def test_a_run_arrives_as_it_was_told(clients: Clients, spool: Path, tmp_path: Path) -> None:
    folder = recorded_offline(clients.developer, spool, tmp_path)

    assert shipped(Line(clients.developer), folder)

    found = told(clients.developer, folder.path.name)
    assert found["points"] == {
        "loss": [(step, 1 / (step + 1)) for step in range(STEPS)],
        "auc": [(step, step / STEPS) for step in range(STEPS)],
    }
    assert (found["name"], found["status"]) == ("renamed", "finished")
    assert found["params"] == {"rate": "0.1", "depth": "6"}
    assert found["tags"] == {"team": "delays"}
    assert [data[:1] + data[2:] for data in found["datasets"]] == [("tiny", "training", 2)]
    said = "sha256:" + hashlib.sha256(b"well").hexdigest()
    assert found["artifacts"]["report.txt"] == said
    assert set(found["artifacts"]) == {
        "report.txt",
        "a.json",
        "console/stdout-000000-000000000.txt",
    }
    assert not folder.path.exists()


@pytest.mark.parametrize("breaks", ["before", "after"])
def test_wherever_the_line_breaks_nothing_is_lost_or_doubled(
    clients: Clients, spool: Path, tmp_path: Path, breaks: Break
) -> None:
    broken, expected = 0, None
    for at in range(100):
        folder = recorded_offline(clients.developer, spool, tmp_path)
        held = shipped(Line(clients.developer, at, breaks), folder)
        broken += not held
        if not held:
            assert folder.path.exists()
            assert shipped(Line(clients.developer), folder)
        found = told(clients.developer, folder.path.name)
        expected = expected or found
        assert found == expected
        if held:
            break
    assert broken > 8


def test_a_run_that_ended_while_the_line_was_cut_arrives_when_it_is_waited_for(
    clients: Clients, spool: Path
) -> None:
    line = Line(clients.developer)
    line.cut = True
    run = begun(line, spool)
    run.log({"loss": 0.5}, step=0)
    run.finish()
    assert not run.flush(away_s=0.3)
    assert folders(spool)

    line.cut = False

    assert run.flush()
    assert told(clients.developer, run.id)["points"] == {"loss": [(0, 0.5)]}
    assert told(clients.developer, run.id)["status"] == "finished"
    assert not folders(spool)


def test_shipping_the_same_files_again_adds_nothing(
    clients: Clients, spool: Path, tmp_path: Path
) -> None:
    folder = recorded_offline(clients.developer, spool, tmp_path)
    kept = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert shipped(Line(clients.developer), folder)
    first = told(clients.developer, folder.path.name)

    # A backup of the folder is put back, as if none of it had been shipped.
    for path, content in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert shipped(Line(clients.developer), folder)

    assert told(clients.developer, folder.path.name) == first


def test_a_record_that_was_torn_by_a_power_cut_costs_only_itself(
    clients: Clients, spool: Path, tmp_path: Path
) -> None:
    folder = recorded_offline(clients.developer, spool, tmp_path)
    (segment,) = folder.segments()
    content = segment.read_bytes()
    segment.write_bytes(content[:-1])  # of the run's end the last byte is missing

    assert shipped(Line(clients.developer), folder)

    found = told(clients.developer, folder.path.name)
    assert found["status"] == "running"
    assert len(found["points"]["loss"]) == STEPS
    assert not folder.path.exists()


def test_what_the_server_refuses_is_kept_aside_and_holds_up_nothing(
    clients: Clients, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(clients.developer, spool, mode="offline")
    run.log_params({"depth": 6})
    run.log({"loss": 0.5}, step=0)
    run.log_params({"depth": 7})
    run.log({"loss": 0.4}, step=1)
    run.finish()

    synced = sync(spool, clients.developer, url=None, workspace="default")

    assert (synced.shipped, synced.refused) == ([run.id], [run.id])
    found = told(clients.developer, run.id)
    assert found["params"] == {"depth": "6"}
    assert found["points"] == {"loss": [(0, 0.5), (1, 0.4)]}
    (aside,) = (spool / "refused").iterdir()
    assert '"depth":"7"' in aside.read_text()
    assert any("depth" in record.message for record in caplog.records)


def test_a_run_without_the_right_to_record_waits(
    clients: Clients, spool: Path, tmp_path: Path
) -> None:
    folder = recorded_offline(clients.viewer, spool, tmp_path)

    synced = sync(spool, clients.viewer, url=None, workspace="default")

    assert list(synced.waiting) == [folder.path.name]
    assert sync(spool, clients.developer, url=None, workspace="default").shipped
    assert told(clients.developer, folder.path.name)["status"] == "finished"


def test_what_is_for_another_server_or_workspace_stays(
    clients: Clients, spool: Path, tmp_path: Path
) -> None:
    folder = recorded_offline(clients.developer, spool, tmp_path)

    synced = sync(spool, clients.developer, url=None, workspace="elsewhere")

    assert synced.elsewhere == [folder.path.name]
    assert not clients.developer.call(contract.list_runs, ListRuns()).items


def test_a_run_that_fell_silent_is_crashed_and_runs_again_when_it_comes_back(
    clients: Clients, spool: Path, clock: Clock
) -> None:
    run = begun(clients.developer, spool, mode="offline")
    run.log({"loss": 0.5}, step=0)
    (folder,) = folders(spool)
    delivery = Delivery(folder, run.id)
    while delivery.ship(clients.developer):
        pass
    clock.advance(seconds=46)
    clients.service.call(contract.sweep_runs, Request())
    assert told(clients.developer, run.id)["status"] == "crashed"

    run.log({"loss": 0.4}, step=1)
    while delivery.ship(clients.developer):
        pass
    assert told(clients.developer, run.id)["status"] == "running"

    run.finish()
    assert sync(spool, clients.developer, url=None, workspace="default").shipped
    assert told(clients.developer, run.id)["status"] == "finished"


def test_a_run_of_somebody_else_cannot_be_gone_on_with(clients: Clients, spool: Path) -> None:
    mine = begun(clients.developer, spool, mode="offline")
    mine.log({"loss": 0.5}, step=0)
    mine.finish()
    sync(spool, clients.developer, url=None, workspace="default")

    theirs = begun(clients.second_approver, spool, resume=mine.id, mode="offline")
    theirs.log({"loss": 9.0}, step=1)
    theirs.finish()
    try:
        sync(spool, clients.second_approver, url=None, workspace="default")
    except MainspringError as error:
        pytest.fail(f"a refusal is no reason to end: {error}")

    found = told(clients.developer, mine.id)
    assert found["points"] == {"loss": [(0, 0.5)]}
    assert found["status"] == "finished"


@pytest.mark.parametrize("state", ["finished", "running"])
def test_a_run_that_was_gone_on_with_offline_is_what_its_last_process_said(
    clients: Clients, spool: Path, state: str
) -> None:
    first = begun(clients.developer, spool, mode="offline")
    first.log({"loss": 1.0})
    first.finish("failed")
    again = begun(clients.developer, spool, mode="offline", resume=first.id)
    again.log({"loss": 0.5})
    if state == "finished":
        again.finish()

    synced = sync(spool, clients.developer, url=None, workspace="default")

    assert (synced.shipped, synced.refused, synced.waiting) == ([first.id], [], {})
    found = told(clients.developer, first.id)
    assert found["points"] == {"loss": [(0, 1.0), (1, 0.5)]}
    assert found["status"] == state
