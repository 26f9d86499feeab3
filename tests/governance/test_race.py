"""Collecting while everybody writes loses nothing that was acknowledged."""

from __future__ import annotations

import threading

import pytest

from mainspring.app import App, workspace_key
from mainspring.core.blobs import digest_of
from mainspring.core.errors import NotFound
from mainspring.core.operation import FileClient
from mainspring.governance.file_store import FileStore
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import Clock, at_once, local_client

ROUNDS = 15
CONTENTS = [b"one", b"two", b"three"]


@pytest.fixture(params=["in process"])
def transport(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the way in."""
    return str(request.param)


def test_nobody_names_a_file_while_bytes_are_deleted(app: App, tokens: dict[str, str]) -> None:
    there = story.elsewhere(app, tokens)
    upload = threading.Thread(target=story.put, args=(there, b"bytes"))
    with app.database.write() as connection:
        FileStore(connection, workspace_key(connection, "default")).hold_uploads()

        upload.start()
        upload.join(0.3)

        assert upload.is_alive()
        assert FileStore(connection, 0).owned({digest_of(b"bytes")}) == set()
    upload.join(10)
    assert b"".join(there.download(digest_of(b"bytes"))) == b"bytes"


def write(client: FileClient, kept: dict[str, bytes]) -> None:
    """Make runs with the same files as everybody, and delete every other one."""
    for number in range(ROUNDS):
        content = CONTENTS[number % len(CONTENTS)]
        run = story.open_run(client)
        try:
            litter.log_file(client, run, content)
        except NotFound:
            # Somebody else's same bytes went between the upload and its name: refused, not lost.
            continue
        if number % 2:
            litter.delete_run(client, run)
        else:
            kept[run] = content


def test_what_living_runs_name_is_there(app: App, tokens: dict[str, str], clock: Clock) -> None:
    there = story.elsewhere(app, tokens)
    clients = [local_client(app, tokens[name]) for name in ("dora", "ada")] + [there]
    kept: list[dict[str, bytes]] = [{} for _ in clients]
    done = threading.Event()

    def gather(client: FileClient) -> None:
        while not done.is_set():
            freed(client, 0)

    def write_all() -> None:
        calls = [
            lambda one=one, mine=mine: write(one, mine)
            for one, mine in zip(clients, kept, strict=True)
        ]
        try:
            failures = [answer for answer in at_once(*calls) if answer is not None]
            assert failures == []
        finally:
            done.set()

    admin = local_client(app, tokens["ada"])
    answers = at_once(write_all, lambda: gather(admin), lambda: gather(there))

    assert answers == [None, None, None]
    for client, mine in zip(clients, kept, strict=True):
        for run, content in mine.items():
            assert story.run_of(client, run).artifacts[0].digest == digest_of(content)
            assert b"".join(client.download(digest_of(content))) == content
