"""Files go when nothing names them and nobody is about to; never between two steps of an upload."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.core.clock import utc_now
from mainspring.core.errors import NotFound
from mainspring.core.operation import Client
from mainspring.governance import contract, service
from mainspring.governance.contract import Collect
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import Clients, Clock


@pytest.fixture(params=["in process"])
def transport(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the way in."""
    return str(request.param)


def content(clients: Clients, digest: str) -> bytes:
    return b"".join(clients.viewer.download(digest))


def test_a_file_of_two_runs_goes_with_the_second(clients: Clients, clock: Clock) -> None:
    one, other = story.open_run(clients.developer), story.open_run(clients.developer)
    for run in (one, other):
        digest = litter.log_file(clients.developer, run, b"plot")
    litter.delete_run(clients.developer, one)
    clock.advance(days=31)

    assert freed(clients.admin) == {"runs": 1}
    assert content(clients, digest) == b"plot"

    litter.delete_run(clients.developer, other)
    clock.advance(days=31)
    assert freed(clients.admin) == {"runs": 1, "files": 1, "bytes": 4}


def test_a_file_of_two_workspaces_goes_with_the_second(
    app: App, clients: Clients, tokens: dict[str, str], clock: Clock
) -> None:
    there = story.elsewhere(app, tokens)
    here_run, there_run = story.open_run(clients.admin), story.open_run(there)
    litter.log_file(there, there_run, b"plot")
    digest = litter.log_file(clients.admin, here_run, b"plot")
    litter.delete_run(clients.admin, here_run)
    litter.delete_run(there, there_run)
    clock.advance(days=31)

    assert freed(clients.admin) == {"runs": 1}
    assert b"".join(there.download(digest)) == b"plot"
    with pytest.raises(NotFound):
        clients.viewer.download(digest)

    assert freed(there)["runs"] == 1
    clock.advance(hours=2)
    freed(there)
    assert not app.blobs.has(digest)


def test_a_file_that_came_again_is_given_an_hour(clients: Clients, clock: Clock) -> None:
    run = story.open_run(clients.developer)
    digest = litter.log_file(clients.developer, run, b"plot")
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)
    story.put(clients.developer, b"plot")

    assert freed(clients.admin) == {"runs": 1}
    assert content(clients, digest) == b"plot"

    clock.advance(minutes=61)
    assert freed(clients.admin) == {"files": 1, "bytes": 4}


def test_a_file_that_nothing_ever_named_is_given_an_hour(clients: Clients, clock: Clock) -> None:
    digest = story.put(clients.developer, b"loose")
    clock.advance(minutes=59)
    assert freed(clients.admin, 0) == {}
    assert content(clients, digest) == b"loose"

    clock.advance(minutes=2)
    assert freed(clients.admin, 0) == {"files": 1, "bytes": 5}


def test_a_file_that_was_taken_from_its_path_goes(clients: Clients, clock: Clock) -> None:
    run = story.open_run(clients.developer)
    litter.log_file(clients.developer, run, b"plot")
    clock.advance(minutes=61)
    assert freed(clients.admin) == {}

    litter.remove_files(clients.developer, f"runs/{run}")
    assert freed(clients.admin) == {"files": 1, "bytes": 4}


def test_files_outside_of_runs_and_models_stay(clients: Clients, clock: Clock) -> None:
    litter.put_file(clients.developer, "files", b"loose", "a/b")
    clock.advance(days=365)

    assert freed(clients.admin, 0) == {}


def test_an_upload_in_parts_is_forgotten_after_a_day(clients: Clients, clock: Clock) -> None:
    for part in ("1", "2"):
        litter.put_file(clients.developer, f"uploads/{'0' * 32}", part.encode(), part)
    clock.advance(hours=23)
    assert freed(clients.admin, 0) == {}

    clock.advance(hours=2)
    assert freed(clients.admin) == {"files": 2, "bytes": 2}


def step(client: Client, monkeypatch: pytest.MonkeyPatch, phase: str) -> str:
    """Go on, a page at a time, until the phase is next; answers where to go on."""
    monkeypatch.setattr(service, "CHUNK_S", 0)
    after: str | None = None
    while after is None or not after.startswith(phase):
        after = client.call(contract.collect, Collect(after=after)).next
    return after


def condemned(clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A file whose bytes go with the next chunk; answers its digest and where to go on."""
    run = story.open_run(clients.developer)
    digest = litter.log_file(clients.developer, run, b"plot")
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)
    after = step(clients.admin, monkeypatch, "sweep")
    with pytest.raises(NotFound):
        clients.viewer.download(digest)
    return digest, after


def test_bytes_go_in_a_later_transaction(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, after = condemned(clients, clock, monkeypatch)
    assert app.blobs.has(digest)

    clients.admin.call(contract.collect, Collect(after=after))

    assert not app.blobs.has(digest)


def test_an_upload_between_the_two_transactions_keeps_the_bytes(
    clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, after = condemned(clients, clock, monkeypatch)
    story.put(clients.developer, b"plot")

    clients.admin.call(contract.collect, Collect(after=after))

    assert content(clients, digest) == b"plot"
    assert freed(clients.admin) == {}


def test_bytes_that_came_again_and_have_no_name_yet_stay(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, after = condemned(clients, clock, monkeypatch)
    later = (utc_now() + dt.timedelta(days=31)).timestamp()
    app.blobs.put([b"plot"])
    os.utime(path_of(app, digest), (later, later))

    clients.admin.call(contract.collect, Collect(after=after))

    assert app.blobs.has(digest)
    assert freed(clients.admin) == {}
    clock.advance(minutes=61)
    assert freed(clients.admin) == {"files": 1, "bytes": 4}


def path_of(app: App, digest: str) -> Path:
    value = digest.partition(":")[2]
    return app.settings.artifacts_folder / value[:2] / value[2:]


def test_what_was_condemned_before_a_kill_goes_with_the_next_collecting(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, _ = condemned(clients, clock, monkeypatch)

    assert freed(clients.admin, dry_run=True) == {"files": 1, "bytes": 4}
    assert freed(clients.admin) == {"files": 1, "bytes": 4}
    assert not app.blobs.has(digest)


def test_bytes_that_no_workspace_has_go_after_an_hour(
    app: App, clients: Clients, clock: Clock
) -> None:
    digest, _ = app.blobs.put([b"stray"])
    torn = app.settings.artifacts_folder / "incoming-torn"
    torn.write_bytes(b"half")
    clock.advance(minutes=59)
    assert freed(clients.admin) == {}
    assert app.blobs.has(digest)

    clock.advance(minutes=2)
    assert freed(clients.admin, dry_run=True) == {"files": 1, "bytes": 9}
    assert torn.exists()
    assert freed(clients.admin) == {"files": 1, "bytes": 9}
    assert litter.size_of(app.settings.artifacts_folder) == 0


def test_a_dry_run_of_many_chunks_counts_nothing_twice(
    clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    litter.delete_run(clients.developer, litter.full_run(clients.developer))
    story.put(clients.developer, b"loose")
    clock.advance(days=31)
    whole = freed(clients.admin, dry_run=True)
    monkeypatch.setattr(service, "CHUNK_S", 0)

    assert freed(clients.admin, dry_run=True) == whole
    assert freed(clients.admin) == whole
