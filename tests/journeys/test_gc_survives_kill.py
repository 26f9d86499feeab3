"""`mainspring gc` may be killed at whatever moment: what is referred to is whole, the rest goes."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.errors import MainspringError
from mainspring.core.home import Home
from mainspring.interfaces.remote import RemoteClient
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import wait_until

pytestmark = pytest.mark.slow

INTERRUPTED = 4
"""Collectings that have to be cut off in their midst."""
MOST_KILLS = 25
RUNS = 100
MORE = 15
POINTS = 500
HOUR = 3600
SEED = int(os.environ.get("MAINSPRING_TEST_SEED", str(random.SystemRandom().randrange(10**6))))


class Server:
    """A server that is killed and started again on the same home and port."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._client: RemoteClient | None = None

    def start(self) -> RemoteClient:
        """Start it; answers a client that does not wait for a dead one."""
        self.close()
        home = Home(self._home)
        command = [sys.executable, "-m", "mainspring", "up", "--port", str(self._port)]
        with (self._home / "up.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--home", str(self._home)], stdout=output, stderr=output
            )
        pid = self._process.pid
        wait_until(lambda: (found := home.server()) is not None and found.pid == pid, 30)
        url, token = f"http://127.0.0.1:{self._port}", home.token() or ""
        self._client = RemoteClient(url, token, patience_s=0)
        return self._client

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def close(self) -> None:
        """Close the client of the last start."""
        if self._client is not None:
            self._client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is gone at the end."""
    found = Server(tmp_path)
    yield found
    found.kill()
    found.close()


class Runs:
    """Runs that stay and runs that were deleted; some of their files are the same."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self._made = 0

    def add(self, client: RemoteClient, count: int) -> None:
        """Make runs, and delete two of three."""
        for _ in range(count):
            number = self._made
            self._made += 1
            content = b"%d" % (number // 2)
            run = litter.full_run(client, content, points=POINTS)
            if number % 3:
                litter.delete_run(client, run)
            else:
                self.kept[run] = content


def _collect_until_it_dies(client: RemoteClient, died: threading.Event) -> None:
    try:
        freed(client, 0)
    except MainspringError:
        died.set()


@pytest.mark.journey
@pytest.mark.timeout(240)
def test_collecting_survives_kills(tmp_path: Path, server: Server) -> None:
    chance, runs = random.Random(SEED), Runs()
    interrupted = kills = 0
    client = server.start()
    runs.add(client, RUNS)
    while interrupted < INTERRUPTED and kills < MOST_KILLS:
        died = threading.Event()
        collector = threading.Thread(target=_collect_until_it_dies, args=(client, died))
        collector.start()
        threading.Event().wait(chance.uniform(0, 0.15))
        server.kill()
        collector.join(30)
        interrupted, kills = interrupted + died.is_set(), kills + 1
        client = server.start()
        runs.add(client, MORE)

    told = f"seed {SEED}, {interrupted} of {kills} were interrupted"
    assert interrupted == INTERRUPTED, told
    _whole(client, runs.kept, told)
    server.kill()
    _two_hours_later(tmp_path)
    client = server.start()

    freed(client, 0)

    assert freed(client, 0) == {}, told
    _whole(client, runs.kept, told)
    server.kill()
    _nothing_else(tmp_path, runs.kept, told)


def _two_hours_later(home: Path) -> None:
    """Make all files as old as that: what came a moment ago is kept for an hour."""
    with closing(sqlite3.connect(home / "mainspring.db")) as database, database:
        database.execute("update file set recorded_at = recorded_at - ?", (2 * HOUR * 10**6,))
    for path in _stored(home):
        moment = path.stat().st_mtime - 2 * HOUR
        os.utime(path, (moment, moment))


def _stored(home: Path) -> list[Path]:
    return [path for path in (home / "artifacts").rglob("*") if path.is_file()]


def _whole(client: RemoteClient, kept: dict[str, bytes], told: str) -> None:
    """Every run that nobody deleted has all its points and files."""
    for run, content in kept.items():
        found = story.run_of(client, run)
        assert [metric.count for metric in found.metrics] == [POINTS], told
        named = [found.artifacts[0].digest, found.datasets[0].file]
        wanted = [content, b"data of " + content]
        assert named == [digest_of(one) for one in wanted], told
        for data in wanted:
            assert b"".join(client.download(digest_of(data))) == data, told


def _nothing_else(home: Path, kept: dict[str, bytes], told: str) -> None:
    """The database and the folder of files hold what the runs that stayed name, and no more."""
    with closing(sqlite3.connect(home / "mainspring.db")) as database:
        counts = [
            database.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("run", "point", "condemned_file")
        ]
        files = {digest for (digest,) in database.execute("select digest from file")}
    wanted = {digest_of(part + one) for one in kept.values() for part in (b"", b"data of ")}
    assert counts == [len(kept), POINTS * len(kept), 0], told
    assert files == wanted, told
    assert {f"sha256:{path.parent.name}{path.name}" for path in _stored(home)} == wanted, told
