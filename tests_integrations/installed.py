"""Mainspring as it is installed: from the wheel into an environment, and its server on a home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.house import wait_until

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
UV = BIN / "uv"
START_S, STOP_S = 20.0, 20.0


def run(*command: str | Path, **options: object) -> str:
    """Run the command, which has to succeed; answers what it printed."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


def make_environment(folder: Path, wheel: Path, extra: str) -> Path:
    """A fresh environment with the newest versions that our ranges allow."""
    run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    python = folder / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, wanted)
    return folder


@contextmanager
def served(mainspring: Path, home: Path, **settings: str) -> Iterator[str]:
    """`mainspring up` on a free port; answers its address, and ends it as its user would."""
    command = [str(mainspring), "up", "--home", str(home), "--port", "0"]
    environment = {**os.environ, **settings}
    lock = home / "server.json"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        try:
            wait_until(lambda: lock.exists() or process.poll() is not None, START_S)
            yield json.loads(lock.read_text())["url"]
        finally:
            process.terminate()
            process.wait(STOP_S)
