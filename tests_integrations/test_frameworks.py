"""Autologging of frameworks too large for the development environment, at their newest versions.

The flows are pytest files for the environment that has the frameworks: the exam of each, and real loops
as people write them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests_integrations.frameworks_environment import frameworks_python, why_no_torch
from tests_integrations.installed import ROOT

pytestmark = pytest.mark.timeout(1800)  # the environment is made within the first test
FLOWS = ROOT / "tests_integrations" / "framework_flows"
PLAIN = ["-q", "-n", "2", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull]


@pytest.mark.parametrize("flow", sorted(path.stem for path in FLOWS.glob("*_flow.py")))
def test_a_framework_records_itself(wheel: Path, tmp_path: Path, flow: str) -> None:
    python = frameworks_python(wheel)
    if flow == "torch_flow" and (reason := why_no_torch()) is not None:
        pytest.skip(reason)

    words = [*PLAIN, "--rootdir", ROOT, f"--basetemp={tmp_path / 'flows'}", FLOWS / f"{flow}.py"]
    foreign = ("MAINSPRING_", "PYTEST_", "COV_", "PYTHONDONTWRITEBYTECODE")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [str(python), "-m", "pytest", *map(str, words)],
        cwd=tmp_path,
        env={**plain, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
