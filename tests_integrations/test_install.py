"""The wheel, in environments of its own: small, quick, and whole without numpy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).parent / "uv"
BASE_BAR_MB = 90
LOOP_BAR_MB = 700


def _run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


def _environment(folder: Path, wheel: Path, extra: str) -> Path:
    """A fresh environment with the newest versions that our ranges allow."""
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    python = folder / "bin" / "python"
    _run(UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, wanted)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The base install."""
    return _environment(tmp_path_factory.mktemp("base") / "venv", wheel, "")


@pytest.fixture
def server(base: Path, tmp_path: Path) -> Iterator[Path]:
    """`mainspring up` of the base install; answers its home."""
    home = tmp_path / "home"
    command = [base / "bin" / "mainspring", "up", "--home", home, "--port", "0"]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while not (home / "server.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield home
        process.terminate()
        process.wait(20)


def test_the_base_install_is_small(base: Path) -> None:
    assert _megabytes(base / "lib") <= BASE_BAR_MB


def test_the_loop_extra_is_not_too_large(tmp_path: Path, wheel: Path) -> None:
    folder = _environment(tmp_path / "venv", wheel, "loop")

    assert _megabytes(folder / "lib") <= LOOP_BAR_MB


def test_the_base_install_serves_without_numpy(base: Path, server: Path) -> None:
    installed = _run(UV, "pip", "list", "--format", "json", "--python", base / "bin" / "python")
    names = {package["name"] for package in json.loads(installed)}
    assert not names & {"numpy", "pyarrow", "lightgbm", "pandas"}

    address = json.loads((server / "server.json").read_text())["url"]
    with urllib.request.urlopen(f"{address}/health") as answer:
        assert json.loads(answer.read())["status"] == "ok"
    listed = _run(base / "bin" / "mainspring", "runs", "list", "--json", "--home", server)
    assert json.loads(listed) == {"items": [], "next": None}


def test_a_part_that_is_not_installed_says_which_extra_brings_it(base: Path) -> None:
    done = subprocess.run(
        [str(base / "bin" / "mainspring"), "demo"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 7
    assert "pip install 'mainspring[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_costs_nothing_heavy(base: Path) -> None:
    heavy = "{'sqlalchemy', 'starlette', 'msgspec', 'httpx2', 'numpy'}"
    code = f"import sys, mainspring; print(sorted({heavy} & set(sys.modules)))"

    assert _run(base / "bin" / "python", "-c", code).strip() == "[]"
