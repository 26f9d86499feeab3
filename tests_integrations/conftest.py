"""What several integration tests use, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.threads import sleep_while_waiting
from tests_integrations.installed import build_wheel, make_environment


def pytest_configure() -> None:
    """Before any library is loaded."""
    sleep_while_waiting()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The environment with the base install alone."""
    return make_environment(tmp_path_factory.mktemp("base") / "venv", wheel, "")
