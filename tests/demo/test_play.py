"""The demo as its user starts it, for a few days."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.core.home import Home

pytestmark = pytest.mark.slow


def _demo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mainspring", "demo", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.journey
def test_the_result_is_one_object_and_its_counts_equal_the_data(tmp_path: Path) -> None:
    done = _demo("--days", "3", "--json", "--home", tmp_path / "home")

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    wanted = {"months", "predictions", "labels_joined", "versions", "alerts", "lost"}
    assert wanted | {"auc_frozen", "auc_retrained", "seconds"} <= result.keys()
    # Friday, Saturday and Sunday, the first three days of March 2013, counted in the data.
    assert result["predictions"] == result["labels_joined"] == 958 + 765 + 913
    assert result["lost"] == 0
    assert [month["month"] for month in result["months"]] == ["2013-03"]
    assert "The gate is declared" in done.stderr
    assert Home(tmp_path / "home").server() is None


@pytest.mark.journey
def test_a_home_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("msp_somebody\n")

    done = _demo("--days", "1", "--home", tmp_path)

    assert done.returncode == 6
    assert "wants a fresh one" in done.stderr
    assert (tmp_path / "token").read_text() == "msp_somebody\n"
