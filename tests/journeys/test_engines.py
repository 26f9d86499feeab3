"""A real worker times a version's engines; killed in the middle, it leaves one table all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.errors import NotFound
from mainspring.core.operation import FileClient
from mainspring.demo.setting import second_person
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import NameDeployment, StartDeployment
from mainspring.interfaces.remote import RemoteClient
from mainspring.interfaces.sdk.client import Client
from mainspring.registry import contract as registry
from mainspring.registry.contract import DeclareSuite, NamePromotion, NameVersion
from mainspring.registry.engine_contract import VersionEngines, show_engines
from mainspring.registry.record import CheckSpec
from mainspring.serving.snapshot import read_snapshot
from tests import story
from tests.engines import forests
from tests.engines.forests import Kind
from tests.house import remote_client, wait_until
from tests.interfaces import test_cli_startup as cli
from tests.journeys.conftest import Server, started
from tests.story import MODEL
from tests.validation.test_engine_timing import log_rows, registered, table_of

pytestmark = pytest.mark.journey

NAME = NameVersion(model=MODEL, version=1)


@pytest.fixture
def server(home: Path, empty_url: str | None) -> Iterator[Server]:
    """A server of this test's own, on each of the databases."""
    settings = {} if empty_url is None else {"MAINSPRING_DATABASE": empty_url}
    with started(home, **settings) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[RemoteClient]:
    """Its owner's."""
    found = remote_client(server.url, (server.home / "token").read_text().strip())
    yield found
    found.close()


def find(client: FileClient) -> VersionEngines | None:
    try:
        return client.call(show_engines, NAME)
    except NotFound:
        return None


def process(home: Path, module: str) -> psutil.Process | None:
    """The running process of the server that has the module for its program."""
    for one in psutil.process_iter():
        try:
            if module in one.cmdline() and any(
                str(home) in word for parent in one.parents() for word in parent.cmdline()
            ):
                return one
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return None


def test_a_registration_is_followed_by_a_table(
    server: Server, client: RemoteClient, tmp_path: Path
) -> None:
    forests.saved(Kind("binary"), tmp_path / "model")

    registered(client, story.open_run(client), tmp_path / "model")

    wait_until(lambda: find(client) is not None, within_s=60)
    found = find(client)
    assert found is not None
    assert [size.rows for size in found.table.sizes] == [1, 32, 1000]
    assert story.kinds(client, kind="version.engines_timed") == ["version.engines_timed"]
    told = cli.run("model", "engines", f"{MODEL}@1", "--home", str(server.home)).stdout
    assert "rows=1000" in told
    assert found.table.reason in told


def test_a_worker_that_is_killed_in_the_middle_leaves_one_table(
    server: Server, client: RemoteClient, tmp_path: Path
) -> None:
    forests.saved(Kind("multiclass", (("num_class", 5),)), tmp_path / "model", 100)
    registered(client, story.open_run(client), tmp_path / "model", task="multiclass")
    wait_until(
        lambda: process(server.home, "mainspring.validation.engine_child") is not None, within_s=60
    )
    worker = process(server.home, "mainspring.worker")
    child = process(server.home, "mainspring.validation.engine_child")
    assert worker is not None
    assert child is not None

    worker.kill()

    # Its child goes with it: the input of the one was the other's.
    assert psutil.wait_procs([child], timeout=30)[1] == []
    wait_until(lambda: find(client) is not None, within_s=60)
    found = find(client)
    assert found is not None
    assert [size.rows for size in found.table.sizes] == [1, 32, 1000]
    assert story.kinds(client, kind="version.engines_timed") == ["version.engines_timed"]


def in_production(server: Server, client: RemoteClient, folder: Path) -> None:
    """The model of the folder, registered and promoted by somebody else."""
    author = Client(home=server.home)
    approver = second_person(author, server.url)
    checks = [CheckSpec(name="latency", parameters={"p99_ms": 60_000})]
    client.call(registry.declare_suite, DeclareSuite(model=MODEL, checks=checks, approvals=1))
    run = story.open_run(client)
    rows = table_of(forests.data()[0]).append_column("label", [forests.data()[1]])
    log_rows(client, run, "training", rows, folder.parent / "training")
    log_rows(client, run, "holdout", rows.slice(0, 400), folder.parent / "holdout")
    registered(client, run, folder)
    named = NamePromotion(promotion=story.ask(client, 1).id)
    wait_until(lambda: client.call(registry.show_promotion, named).state == "waiting", within_s=60)
    story.approve(approver, named.promotion)
    for one in (author, approver):
        one.close()


def test_a_deployment_is_told_of_the_conversion(
    server: Server, client: RemoteClient, tmp_path: Path
) -> None:
    forests.saved(Kind("binary"), tmp_path / "model")
    in_production(server, client, tmp_path / "model")

    client.call(deployment.start, StartDeployment(model=MODEL))

    name = NameDeployment(deployment=MODEL)
    wait_until(lambda: client.call(deployment.show, name).state == "ready", within_s=60)
    snapshot = server.home / "deployments" / "default" / MODEL / "snapshot.json"
    wait_until(lambda: find(client) is not None, within_s=60)
    found = find(client)
    assert found is not None
    if found.onnx is None:  # its own engine was quicker on this machine, whatever the rows
        assert read_snapshot(snapshot).models[0].choice is None
        return
    wait_until(lambda: read_snapshot(snapshot).models[0].choice is not None, within_s=60)
    choice = read_snapshot(snapshot).models[0].choice
    assert choice is not None
    assert choice.table == found.table
    conversion = Path(choice.folder, "model.onnx").read_bytes()
    assert digest_of(conversion) == found.onnx.digest
