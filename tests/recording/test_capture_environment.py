"""The machine and the Python of a run are known, and no secret of the environment is."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from mainspring.recording.capture import environment
from mainspring.recording.capture.accelerators import Accelerators
from mainspring.recording.capture.limits import limits
from mainspring.recording.redaction import MARK


def test_python_packages_and_machine_are_told() -> None:
    found = environment()

    assert found["python"] == platform.python_version()
    assert found["executable"] == sys.executable
    assert found["packages"]["msgspec"] == version("msgspec")
    assert found["packages"]["mainspring"] == version("mainspring")
    assert found["system"] == platform.platform()
    assert found["cpus"] >= found["cpus_usable"] >= 1
    assert found["memory_bytes"] > 2**28
    assert {"implementation", "machine", "cpu", "gpus", "host", "libc"} <= set(found)
    assert json.loads(json.dumps(found)) == found
    assert len(found) < 200


def test_a_package_that_no_index_has_is_told_with_its_source() -> None:
    assert environment()["package_sources"]["mainspring"].startswith("file://")


def test_only_harmless_variables_are_kept_and_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never")
    monkeypatch.setenv("STAGE", "trial")
    monkeypatch.setenv("DATABASE", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.setenv("MAINSPRING_CAPTURE_ENV", "STAGE, DATABASE,MY_TOKEN,NOT_SET")

    found = environment()

    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert found["variables"]["STAGE"] == "trial"
    assert found["variables"]["DATABASE"] == f"postgresql://me:{MARK}@db/x"
    assert found["variables"]["MY_TOKEN"] == MARK
    assert not {"AWS_SECRET_ACCESS_KEY", "NOT_SET", "PATH", "HOME"} & set(found["variables"])
    assert "hunter2" not in json.dumps(found)


def test_another_python_is_asked_what_it_has(tmp_path: Path) -> None:
    venv.create(tmp_path / "other", with_pip=False, symlinks=True)
    python = tmp_path / "other" / "bin" / "python"
    site = next((tmp_path / "other" / "lib").glob("python*/site-packages"))
    (site / "toy-1.5.dist-info").mkdir()
    (site / "toy-1.5.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toy\nVersion: 1.5\n"
    )

    found = environment(str(python))

    assert found["packages"] == {"toy": "1.5"}
    assert found["executable"] == str(python)
    assert found["cpus"] == os.cpu_count()


def test_an_interpreter_that_does_not_answer_leaves_the_rest(tmp_path: Path) -> None:
    found = environment(str(tmp_path / "no python"))

    assert "packages" not in found
    assert found["cpus"] == os.cpu_count()


def test_this_python_under_its_other_name_is_the_same() -> None:
    other = Path(sys.executable).with_name("python3")

    assert environment(str(other))["packages"] == environment()["packages"]


def test_what_a_container_allows_is_at_most_what_there_is() -> None:
    found = limits()

    assert found["memory_limit_bytes"] is None or found["memory_limit_bytes"] > 2**20
    assert found["cpu_limit"] is None or 0 < found["cpu_limit"] <= 4096


def test_accelerators_are_those_that_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = subprocess.run(
        "nvidia-smi --list-gpus || true", shell=True, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    all_of_them = Accelerators()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert len(all_of_them.described()["gpus"]) == len(listed)
    assert all(f"gpu{index}_memory_mb" in all_of_them.read() for index in range(len(listed)))
    assert Accelerators().described()["gpus"] == []
