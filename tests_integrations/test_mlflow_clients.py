"""MLflow's own client, unmodified, against a real `mainspring up`: each flow a process of its own.

The flows are pytest files for the environment that has MLflow; they assert from the client's side what
a user of MLflow relies on, and all but `refusals`, `required`, `signing_in` and `webhooks` hold for
MLflow's own server too.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests_integrations.installed import BIN, ROOT, run, served
from tests_integrations.mlflow_environment import mlflow_python, why_no_torch

pytestmark = pytest.mark.timeout(900)  # the environment is made within the first test
FLOWS = ROOT / "tests_integrations" / "mlflow_flows"
NOT_OF_THE_HOUSE = {"__init__", "client_side", "required"}
EVERY_FLOW = sorted({path.stem for path in FLOWS.glob("*.py")} - NOT_OF_THE_HOUSE)
GUARDED, ROOM = "guarded", "room"
PASSWORD = "correct horse battery"
SUITE = ["--model", GUARDED, "--checks", '[{"name": "data"}]', "--approvals", "1"]


@dataclass(frozen=True, slots=True)
class House:
    """A server, and a person who may only read."""

    url: str
    viewer: str

    def plays(self, flow: str, folder: Path) -> None:
        """Run the flow, which has to pass; what MLflow prints is shown only when it does not."""
        words = [
            "-q",
            "--noconftest",
            "-p",
            "client_side",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
        ]
        done = subprocess.run(
            [str(mlflow_python()), "-m", "pytest", *words, str(FLOWS / f"{flow}.py")],
            cwd=folder,
            env=self._environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def _environment(self, folder: Path) -> dict[str, str]:
        """A plain user's, without sign-in and without patience: a fault of the server shows at once."""
        ours = ("MLFLOW", "MAINSPRING", "PYTEST", "PYTHONDONTWRITEBYTECODE")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **plain,
            "HOME": str(folder),
            "PYTHONPATH": str(FLOWS),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "FLOW_URL": self.url,
            "FLOW_VIEWER": self.viewer,
            "FLOW_GUARDED": GUARDED,
            "FLOW_PASSWORD": PASSWORD,
            "FLOW_ROOM": ROOM,
        }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server on a fresh home, with a viewer, and a suite for one model's production."""
    home = tmp_path_factory.mktemp("house") / "home"
    mainspring = BIN / "mainspring"
    with served(mainspring, home, MAINSPRING_OUTBOUND_ALLOW="127.0.0.1") as url:
        run(mainspring, "people", "add", "--name", "vera", "--roles", "viewer", "--home", home)
        made = run(mainspring, "tokens", "create", "--owner", "vera", "--json", "--home", home)
        run(mainspring, "suite", "declare", *SUITE, "--home", home)
        words = ("people", "set-password", "vera", "--home", home)
        run(mainspring, *words, input=f"{PASSWORD}\n")
        run(mainspring, "workspaces", "create", "--name", ROOM, "--home", home)
        words = ("roles", "grant", "--person", "vera", "--role", "developer", "--home", home)
        run(mainspring, *words, "--workspace", ROOM)
        yield House(url, json.loads(made)["token"])


@pytest.mark.parametrize("flow", EVERY_FLOW)
def test_a_client_cannot_tell_the_difference(house: House, tmp_path: Path, flow: str) -> None:
    mlflow_python()
    if flow == "pytorch" and (reason := why_no_torch()) is not None:
        pytest.skip(reason)

    house.plays(flow, tmp_path)


def test_a_workspace_that_requires_says_what_is_missing(tmp_path: Path) -> None:
    mainspring, home = BIN / "mainspring", tmp_path / "home"
    with served(mainspring, home) as url:
        run(mainspring, "requirements", "set", "data", "code", "environment", "--home", home)
        House(url, viewer="").plays("required", tmp_path)


def test_the_base_install_is_enough(base: Path, tmp_path: Path) -> None:
    with served(base / "bin" / "mainspring", tmp_path / "home") as url:
        House(url, viewer="").plays("short", tmp_path)
