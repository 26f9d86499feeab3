"""The wheel, in environments of its own: small, quick, and whole without numpy."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from tests_integrations.installed import UV, make_environment, run, served

BASE_BAR_MB = 90
LOOP_BAR_MB = 700


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_the_base_install_is_small(base: Path) -> None:
    assert _megabytes(base / "lib") <= BASE_BAR_MB


def test_the_loop_extra_is_not_too_large(tmp_path: Path, wheel: Path) -> None:
    folder = make_environment(tmp_path / "venv", wheel, "loop")

    assert _megabytes(folder / "lib") <= LOOP_BAR_MB


def test_the_base_install_serves_without_numpy(base: Path, tmp_path: Path) -> None:
    installed = run(UV, "pip", "list", "--format", "json", "--python", base / "bin" / "python")
    names = {package["name"] for package in json.loads(installed)}
    assert not names & {"numpy", "pyarrow", "lightgbm", "pandas"}

    mainspring, home = base / "bin" / "mainspring", tmp_path / "home"
    with served(mainspring, home) as url:
        with urllib.request.urlopen(f"{url}/health") as answer:
            assert json.loads(answer.read())["status"] == "ok"
        listed = run(mainspring, "runs", "list", "--json", "--home", home)
        assert json.loads(listed) == {"items": [], "next": None, "total": 0}


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

    assert run(base / "bin" / "python", "-c", code).strip() == "[]"


def test_a_run_is_recorded_by_the_base_install(base: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import mainspring as ms\n"
        "ms.autolog()\n"
        "with ms.run('base', config={'rate': 0.1}) as run:\n"
        "    run.log({'loss': 0.5})\n"
        "    run.log_text('well', 'report.txt')\n"
        "    run.log_image([[0, 255]], 'pixels.png')\n"
        "    run.log_table({'a': [1]}, 'a.json')\n"
        "    try:\n"
        "        run.log_dataset({'x': [1]}, name='x')\n"
        "    except ms.Unavailable as error:\n"
        "        print(error.fix)\n"
    )
    environment = {**os.environ, "MAINSPRING_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}

    printed = subprocess.run(
        [str(base / "bin" / "python"), str(script)],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    listed = subprocess.run(
        [str(base / "bin" / "mainspring"), "runs", "list", "--json"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env=environment,
    )  # fmt: skip

    assert (printed.stdout, printed.stderr) == ("pip install 'mainspring[loop]'\n", "")
    (found,) = json.loads(listed.stdout)["items"]
    assert (found["status"], found["metrics"]["loss"]) == ("finished", 0.5)
