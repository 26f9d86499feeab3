"""Runs that are part of a run arrive with it, also when the server was away as it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.operation import FileClient
from mainspring.recording.children import Child, Children
from mainspring.recording.spool import folders
from mainspring.tracking import search_contract
from mainspring.tracking.search_contract import SearchRuns
from tests.house import Clients
from tests.recording.lines import Line, begun, surface


@pytest.fixture
def transport() -> str:
    """The line is what breaks, not HTTP."""
    return "in process"


@pytest.fixture
def database_kind() -> str:
    """The line is what breaks, not the database."""
    return "SQLite"


def names(client: FileClient) -> list[str]:
    """Of the runs that the server knows."""
    page = client.call(search_contract.search_runs, SearchRuns(limit=1000))
    return sorted(run.name for run in page.items)


def test_they_arrive_with_a_run_whose_server_comes_back_at_the_end(
    clients: Clients, spool: Path
) -> None:
    line = Line(clients.developer)
    run = begun(line, spool, name="search")
    children = Children(run, lambda: surface(line, spool))
    line.cut = True
    for number in range(3):
        children.add(Child(f"candidate {number}", {"C": number}, {"auc": 0.5}))
    run.observers.stop()  # as the run's end begins: the server is away
    assert names(clients.developer) in ([], ["search"])
    line.cut = False

    run.finish()

    expected = ["candidate 0", "candidate 1", "candidate 2", "search"]
    assert names(clients.developer) == expected
    assert folders(spool) == []


def test_they_stay_in_the_spool_with_a_run_that_stays_there(clients: Clients, spool: Path) -> None:
    line = Line(clients.developer)
    run = begun(line, spool, name="search")
    children = Children(run, lambda: surface(line, spool))
    line.cut = True
    children.add(Child("candidate", {}, {}))

    run.finish()

    assert len(folders(spool)) == 2
