"""A deployment of several processes under a real server: they are replaced, and it is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import httpx2
import pytest

from mainspring.core.errors import Conflict
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import Deployment, NameDeployment, Serving, StartDeployment
from mainspring.deployment.process import start_time
from mainspring.deployment.supervisor import STEADY_S
from mainspring.interfaces.remote import RemoteClient
from mainspring.serving.group import read_state
from tests import story
from tests.engines import forests
from tests.engines.forests import Kind
from tests.house import wait_until
from tests.interfaces import test_cli_startup as cli
from tests.interfaces.test_cli_serve import refused, served
from tests.journeys.conftest import Server
from tests.journeys.test_engines import client, in_production, server
from tests.serving.data_plane import free_port
from tests.story import MODEL

__all__ = ["client", "server"]

ENGINES = ("lightgbm", "onnx")

pytestmark = [pytest.mark.journey, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _model(server: Server, client: RemoteClient, tmp_path: Path) -> None:
    """There is a version in production, for all of these tests."""
    forests.saved(Kind("binary"), tmp_path / "model")
    in_production(server, client, tmp_path / "model")


def test_what_its_leader_replaces_is_told_and_the_port_stays(
    server: Server, client: RemoteClient
) -> None:
    serving = Serving(workers=2, log_sample=0.5, log_hash=["size"], queue=7)
    client.call(deployment.start, StartDeployment(model=MODEL, serving=serving))
    snapshot = server.home / "deployments" / "default" / MODEL / "snapshot.json"
    before = _all_ready(client, snapshot)

    os.kill(read_state(snapshot).workers[0], signal.SIGKILL)
    _await_reasons(client, 1)
    assert _reasons(client) == ["process 0: it was ended by SIGKILL"]
    os.kill(read_state(snapshot).workers[1], signal.SIGSTOP)
    _await_reasons(client, 2)

    assert _reasons(client)[1].startswith("process 1: it was stopped")
    after = _ready(client)
    assert (after.url, after.pid, after.restarts) == (before.url, before.pid, before.restarts + 2)
    assert httpx2.get(f"{after.url}/v2/health/ready", verify=False).status_code == 200
    assert after.serving == serving

    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    _await_reasons(client, 3)
    again = _ready(client)
    assert (again.url, again.pid != before.pid) == (before.url, True)

    os.kill(again.pid or 0, signal.SIGSTOP)
    _await_reasons(client, 4)
    assert _reasons(client)[3] == f"its process {again.pid} was stopped, and killed for that"
    assert _ready(client).url == before.url

    with pytest.raises(Conflict, match="serves in another way"):
        client.call(deployment.start, StartDeployment(model=MODEL, serving=Serving(workers=3)))
    shown = cli.run("deploy", "show", MODEL, "--home", str(server.home)).stdout
    assert "workers: 2" in shown


def test_one_that_was_killed_is_back_at_once_however_often(client: RemoteClient) -> None:
    client.call(deployment.start, StartDeployment(model=MODEL))
    before = _ready(client)

    for times in (1, 2, 3, 4):
        # It has to have lived a while each time: else it is one that does not come up.
        wait_until(partial(_has_lived, _ready(client), STEADY_S + 0.5), within_s=20)
        os.kill(_ready(client).pid or 0, signal.SIGKILL)
        killed = time.monotonic()
        _await_reasons(client, times)
        assert _ready(client).url == before.url
        # With a wait of its own it would be 1, 2 and 5 seconds more.
        assert time.monotonic() - killed < 4.0, f"death {times}"


def test_those_that_take_long_to_load_keep_no_other_from_being_replaced(
    server: Server, client: RemoteClient
) -> None:
    client.call(deployment.start, StartDeployment(model=MODEL))
    before = _ready(client)
    stopped: list[int] = []
    try:
        for name in ("slow1", "slow2", "slow3", "slow4"):
            client.call(deployment.start, StartDeployment(model=MODEL, name=name))
            snapshot = server.home / "deployments" / "default" / name / "snapshot.json"
            wait_until(partial(_is_stopped, snapshot, stopped), within_s=20)

        os.kill(before.pid or 0, signal.SIGKILL)
        killed = time.monotonic()
        _await_reasons(client, 1)
        # Asking each of the others in turn, for 2 s as long as they do not answer, would take 8 s.
        assert time.monotonic() - killed < 4.0
        assert _ready(client).url == before.url
        assert client.call(deployment.show, NameDeployment(deployment="slow4")).state == "starting"
    finally:
        for process in stopped:
            os.kill(process, signal.SIGKILL)


def _is_stopped(snapshot: Path, stopped: list[int]) -> bool:
    """Stop the worker while it loads its model, if there is one: it is not ready for as long as it is."""
    try:
        (worker,) = read_state(snapshot).workers
    except (OSError, ValueError):
        return False
    os.kill(worker, signal.SIGSTOP)
    stopped.append(worker)
    return True


def _has_lived(found: Deployment, seconds: float) -> bool:
    ticks = os.sysconf("SC_CLK_TCK")
    started = (start_time(found.pid or 0) or 0) / ticks
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started > seconds


def test_a_version_of_the_registry_is_served_by_itself(
    server: Server, client: RemoteClient
) -> None:
    arguments = [f"forest={MODEL}@production", f"number={MODEL}@1", "--port", str(free_port())]

    with served(server.home, *arguments) as caller:
        described = caller.get("/v2/models/forest").json()
        assert described["versions"] == ["1"]
        # Its own engine, or ONNX if that was timed already and is quicker.
        assert described["platform"].removeprefix("mainspring_").split(", ")[0] in ENGINES
        rows = [{"texture": 1.0, "area": 500.0}]
        answers = [
            caller.post(f"/predict/{name}", json=rows).json()["rows"][0]["score0"]
            for name in ("forest", "number")
        ]
        assert answers[0] == answers[1]

    code, text = refused(server.home, f"none={MODEL}@staging", "--port", str(free_port()))
    assert (code, "staging" in text) == (4, True)


def _ready(client: RemoteClient) -> Deployment:
    name = NameDeployment(deployment=MODEL)
    wait_until(lambda: client.call(deployment.show, name).state == "ready", within_s=60)
    return client.call(deployment.show, name)


def _all_ready(client: RemoteClient, snapshot: Path) -> Deployment:
    """Once each process is: one that is stopped while it loads is one that takes long to load."""
    found = _ready(client)
    told = snapshot.with_name("process.log")
    wait_until(lambda: "serving " in told.read_text(), within_s=60)
    return found


def _await_reasons(client: RemoteClient, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(_reasons(client)) != count:
        assert time.monotonic() < deadline, f"{count} were wanted: {_reasons(client)}"
        threading.Event().wait(0.01)


def _reasons(client: RemoteClient) -> list[str]:
    events = story.events(client, kind="deployment.restarted")
    return [str(event.facts["message"]) for event in events]
