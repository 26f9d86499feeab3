"""Collecting makes the files on the disk smaller."""

from __future__ import annotations

import os

import pytest

from mainspring.app import App
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import Clients, Clock


@pytest.fixture(params=["SQLite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """PostgreSQL gives its space back by itself."""
    return str(request.param)


@pytest.fixture(params=["in process"])
def transport(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the way in."""
    return str(request.param)


def sizes(app: App) -> tuple[int, int]:
    """The bytes of the database, and of all files."""
    app.database.checkpoint()
    return (
        (app.settings.home / "mainspring.db").stat().st_size,
        litter.size_of(app.settings.artifacts_folder),
    )


def test_the_database_and_the_files_are_as_small_as_before(
    app: App, clients: Clients, clock: Clock
) -> None:
    empty = sizes(app)
    runs = [story.open_run(clients.developer) for _ in range(20)]
    for run in runs:
        litter.log_points(clients.developer, run, "loss", 10_000)
        litter.log_file(clients.developer, run, os.urandom(100_000))
    full = sizes(app)
    for run in runs:
        litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    found = freed(clients.admin)

    after = sizes(app)
    assert found["points"] == 200_000
    assert found["bytes"] == full[1] - after[1] == 2_000_000
    assert full[0] - empty[0] > 4_000_000
    # The events of it stay.
    assert after[0] - empty[0] < 200_000
