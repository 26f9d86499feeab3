"""MLflow's API can be taken out of the tree, and nothing else misses it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

import mainspring
from mainspring.core.clock import utc_now
from mainspring.core.ids import new_id
from mainspring.interfaces.remote import RemoteClient
from mainspring.tracking import contract
from mainspring.tracking.contract import LogRun, NameRun, OpenRun, Point
from tests.house import remote_client
from tests.journeys.conftest import started

pytestmark = pytest.mark.journey
DOOR = "interfaces/mlflow_api"
IMPORT_ALL = """
import pkgutil, mainspring
for module in pkgutil.walk_packages(mainspring.__path__, "mainspring."):
    if "__main__" not in module.name and ".migrations." not in module.name:
        __import__(module.name)
print(mainspring.__file__)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The source tree without that folder."""
    source = Path(mainspring.__file__).parent
    copy = tmp_path / "src" / "mainspring"
    shutil.copytree(source, copy)  # with what is compiled: hundreds of files, for each process
    shutil.rmtree(copy / DOOR)
    return copy.parent


def test_every_other_module_can_be_imported(tree: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tree))


def test_our_own_api_works_and_mlflows_paths_are_unknown(tree: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with started(home, PYTHONPATH=str(tree)) as server:
        client = remote_client(server.url, (home / "token").read_text().strip())
        with closing(client):
            assert _logged(client) == 0.5
        for path in ("/api/2.0/mlflow/experiments/search", "/version", "/graphql"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{server.url}{path}")
            with caught.value as answer:
                assert answer.code == 404
                assert json.loads(answer.read())["error"] == "not_found"

    assert "the door 'mlflow' is not installed" in (home / "server.log").read_text()


def _logged(client: RemoteClient) -> float | str | None:
    run = new_id()
    client.call(contract.open_run, OpenRun(id=run, experiment="flights"))
    client.call(
        contract.log_run, LogRun(run=run, points=[Point(key="auc", value=0.5, at=utc_now())])
    )
    return client.call(contract.show_run, NameRun(run=run)).metrics[0].last
