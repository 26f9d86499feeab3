"""The environment that has MLflow and the frameworks it watches: made once in `.cache/mlflow`.

    python -m tests_integrations.mlflow_environment

prints its Python. What has to be in it stands in pyproject.toml, in the dependency group `mlflow`; torch
is added where there is a build for the CPU, as the other brings gigabytes of libraries for GPUs.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).parent / "uv"
FOLDER = ROOT / ".cache" / "mlflow"
READY = FOLDER / ".ready"
"""Holds what was wanted when the environment was made: it is made anew when something else is."""
NO_TORCH = FOLDER / ".no-torch"
"""Holds why there is no torch."""
TORCH = "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
LIGHTNING = "lightning>=2.6,<3"
FOR_GPUS = "nvidia-nccl-cu12; sys_platform == 'never'\n"
"""xgboost asks for it on Linux, and works without."""


class NotInstalledError(Exception):
    """A package could not be had; says why."""


def mlflow_python() -> Path:
    """The Python of the environment, which is made when it is not there as wanted."""
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two files of tests ask for it, at the same time perhaps
        return _made()


def _made() -> Path:
    python = FOLDER / "bin" / "python"
    wanted = _wanted()
    if READY.exists() and READY.read_text() == wanted:
        return python
    _run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, FOLDER)
    overrides = FOLDER / "overrides.txt"
    overrides.write_text(FOR_GPUS)
    group = f"{ROOT / 'pyproject.toml'}:mlflow"
    _install("--override", overrides, "--group", group)
    _install_torch(python)
    READY.write_text(wanted)
    return python


def why_no_torch() -> str | None:
    """The reason, where torch could not be had."""
    return NO_TORCH.read_text() if NO_TORCH.exists() else None


def _wanted() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return "\n".join([*project["dependency-groups"]["mlflow"], TORCH, LIGHTNING])


def _install(*words: str | Path) -> None:
    # Nothing is compiled before it is imported: the flows need a part of it alone.
    _run(UV, "pip", "install", "--quiet", "--python", FOLDER, *words)


def _install_torch(python: Path) -> None:
    # pip and not uv: it also looks where the machine's pip configuration says that wheels are.
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--retries", "0"]
    try:
        _run(*pip, "--no-compile", "--extra-index-url", TORCH_INDEX, TORCH)
    except NotInstalledError as error:
        NO_TORCH.write_text(f"no {TORCH} to install: {error}")
    else:
        _install(LIGHTNING)


def _run(*words: str | Path) -> None:
    done = subprocess.run(
        [str(word) for word in words], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise NotInstalledError(done.stderr.strip()[-2000:])


if __name__ == "__main__":
    print(mlflow_python())  # noqa: T201  the answer
