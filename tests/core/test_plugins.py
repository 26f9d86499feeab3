"""Plugs are found where packages are installed, also while a server runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.core.plugins import installed


def test_a_plug_that_is_installed_meanwhile_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    os.utime(tmp_path, (0, 0))  # as if nothing had been installed there for long
    before = installed("checks")
    assert "latency" in before

    package = tmp_path / "spelling-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: spelling\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[mainspring.checks]\nspelling = spelling:check\n")

    assert installed("checks") == sorted([*before, "spelling"])
