"""A package that is not installed, as far as imports can tell."""

from __future__ import annotations

import sys

import pytest


class _Absence:
    """A finder for whom one package is not there."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, *_: object) -> None:
        """Answer nothing for other packages, which others find."""
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def uninstall(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let the package be missing until the end of the test."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absence(package), *sys.meta_path])
