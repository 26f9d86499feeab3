"""`up` and `down` with real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interfaces.test_cli_startup import MAINSPRING, run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server on a fresh home, which answers by the time a test gets it."""
    started = subprocess.Popen(
        [*MAINSPRING, "up", "--port", "0", "--home", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert started.stdout is not None
    with started, started.stdout:
        assert "http://127.0.0.1:" in started.stdout.readline()
        yield started
        started.kill()


def test_down_stops_the_server_and_waits_for_it(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    done = run("down", "--home", str(tmp_path), "--json")

    assert json.loads(done.stdout) == {"stopped": server.pid}
    assert server.wait(5) == 0


def test_a_second_server_on_the_home_is_refused(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    done = run("up", "--port", "0", "--home", str(tmp_path))

    assert done.returncode == 6
    assert str(server.pid) in done.stderr


def test_commands_find_the_server_of_the_home(
    server: subprocess.Popen[str], tmp_path: Path
) -> None:
    status = run("status", "--home", str(tmp_path), "--json")
    doctor = run("doctor", "--home", str(tmp_path), "--json")

    found = {one["part"]: one for one in json.loads(doctor.stdout)}
    assert json.loads(status.stdout)["server"].startswith("http://127.0.0.1:")
    assert str(server.pid) in found["server"]["found"]
    assert found["events"]["health"] == "ok"


def test_down_leaves_a_stranger_alone(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with holder, stranger:
        assert holder.stdout is not None
        holder.stdout.readline()
        said = {"pid": stranger.pid, "url": "http://127.0.0.1:1", "started_at": ""}
        (tmp_path / "server.json").write_text(json.dumps(said))

        done = run("down", "--home", str(tmp_path))

        assert done.returncode == 6
        assert "does not hold the lock" in done.stderr
        assert stranger.poll() is None
        holder.communicate("\n")
        stranger.communicate(b"\n")


HOLD = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
input()
"""


def test_the_doctor_names_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = run("doctor", "--home", str(tmp_path), "--port", port, "-q")

    assert done.returncode == 1
    assert done.stdout.startswith("broken")
    assert f"{port} cannot be had" in done.stdout


def test_the_doctor_names_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "mainspring.db").write_text("no database, but long enough to be taken for one" * 50)

    done = run("doctor", "--home", str(tmp_path), "--json", "--port", "65000")

    found = {one["part"]: one["health"] for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["database"] == "broken"
