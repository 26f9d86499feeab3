"""Checkpoints of a real server: at its start, at its end, and after `kill -9` in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.administration.contract import Chain, Nothing, verify_events
from mainspring.core.checkpoint import FILE
from mainspring.interfaces.sdk.client import Client
from tests.house import wait_until
from tests.interfaces.test_cli_startup import run
from tests.journeys.conftest import started
from tests.journeys.servers import Server

pytestmark = pytest.mark.journey


def signed(folder: Path) -> list[int]:
    """The sequences that were signed; a line that is just being written is none."""
    file = folder / FILE
    whole = file.read_bytes().rpartition(b"\n")[0] if file.exists() else b""
    return [json.loads(line)["sequence"] for line in whole.splitlines()]


def worked(home: Path) -> Chain:
    """Let something be logged; answers what the server finds then."""
    client = Client(home)
    with client.run("train"):
        pass
    found = client.call(verify_events, Nothing())
    client.close()
    return found


def test_what_was_logged_before_a_kill_is_signed_after_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = Server(home)
    server.start()
    wait_until(lambda: len(signed(home / "audit")) == 1, within_s=30)
    before = worked(home)
    server.kill()
    unsigned = signed(home / "audit")

    server.start()
    wait_until(lambda: len(signed(home / "audit")) == 2, within_s=30)
    found = json.loads(run("events", "verify", "--home", str(home), "--json").stdout)
    server.kill()

    assert unsigned[-1] < before.events
    assert signed(home / "audit")[-1] >= before.events
    assert (found["checkpoints"], found["faults"]) == (2, [])


def test_a_clean_end_signs_what_is_not_signed(tmp_path: Path) -> None:
    second = tmp_path / "second place"
    second.mkdir()
    (tmp_path / "home").mkdir()
    with started(tmp_path / "home", MAINSPRING_AUDIT_FOLDER=str(second)) as server:
        wait_until(lambda: len(signed(second)) == 1, within_s=30)
        worked(server.home)

    done = run(
        "admin", "audit", "verify", "--home", str(server.home), MAINSPRING_AUDIT_FOLDER=str(second)
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"default: {signed(second)[-1]} events, 2 checkpoints hold\n"
    assert not (server.home / "audit").exists()
    copied = run(
        "admin", "audit", "verify", "--home", str(server.home), "--checkpoints", str(second)
    )
    assert (copied.returncode, copied.stdout) == (0, done.stdout), copied.stderr
