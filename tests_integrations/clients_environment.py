"""The environment that has the clients of other model servers: made once in `.cache/clients`.

    python -m tests_integrations.clients_environment

prints its Python. What has to be in it stands in pyproject.toml, in the dependency group `clients`.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from tests_integrations.installed import UV, run
from tests_integrations.mlflow_environment import ROOT

FOLDER = ROOT / ".cache" / "clients"
READY = FOLDER / ".ready"
"""Holds what was wanted when the environment was made: it is made anew when something else is."""


def clients_python() -> Path:
    """The Python of the environment, which is made when it is not there as wanted."""
    python = FOLDER / "bin" / "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = "\n".join(project["dependency-groups"]["clients"])
    if not READY.exists() or READY.read_text() != wanted:
        FOLDER.parent.mkdir(exist_ok=True)
        run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, FOLDER)
        group = f"{ROOT / 'pyproject.toml'}:clients"
        # Nothing is compiled before it is imported: the flows need a part of it alone.
        words = ("--quiet", "--python", FOLDER, "--group", group)
        run(UV, "pip", "install", *words)
        READY.write_text(wanted)
    return python


if __name__ == "__main__":
    print(clients_python())  # noqa: T201  the answer
