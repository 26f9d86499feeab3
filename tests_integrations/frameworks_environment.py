"""The environment that has the training frameworks of the flows: made once in `.cache/frameworks`.

    python -m tests_integrations.frameworks_environment

prints its Python. What has to be in it stands in pyproject.toml, in the dependency group `frameworks`;
PyTorch is added as its build for the CPU, where that can be had.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path

from tests_integrations.installed import UV, build_wheel, run
from tests_integrations.mlflow_environment import ROOT, TORCH, TORCH_INDEX

FOLDER = ROOT / ".cache" / "frameworks"
READY = FOLDER / ".ready"
"""Holds what was wanted when the environment was made: it is made anew when something else is."""
NO_TORCH = FOLDER / ".no-torch"
"""Holds why there is no PyTorch."""


def frameworks_python(wheel: Path) -> Path:
    """The Python of the environment, with this wheel of Mainspring."""
    python = FOLDER / "bin" / "python"
    wanted = _wanted()
    if not READY.exists() or READY.read_text() != wanted:
        FOLDER.parent.mkdir(exist_ok=True)
        run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, FOLDER)
        group = f"{ROOT / 'pyproject.toml'}:frameworks"
        # Nothing is compiled before it is imported: the flows need a part of it alone.
        _install("--group", group, f"{wheel}[loop]")
        _install_torch(python)
        READY.write_text(wanted)
    _install("--no-deps", "--reinstall-package", "mainspring", wheel)
    return python


def why_no_torch() -> str | None:
    """The reason, where PyTorch could not be had."""
    return NO_TORCH.read_text() if NO_TORCH.exists() else None


def _wanted() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    loop = project["project"]["optional-dependencies"]["loop"]
    return "\n".join([*project["dependency-groups"]["frameworks"], *loop, TORCH])


def _install(*words: str | Path) -> None:
    run(UV, "pip", "install", "--quiet", "--python", FOLDER, *words)


def _install_torch(python: Path) -> None:
    # pip and not uv: it also looks where the machine's pip configuration says that wheels are.
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--retries", "0"]
    try:
        run(*pip, "--no-compile", "--extra-index-url", TORCH_INDEX, TORCH)
    except AssertionError as error:
        NO_TORCH.write_text(f"no {TORCH} to install: {error}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(frameworks_python(build_wheel(Path(folder))))  # noqa: T201  the answer
