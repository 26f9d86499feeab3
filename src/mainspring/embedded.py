"""Operations performed in the caller's own process, on a home that no server runs on."""

from __future__ import annotations

import contextlib

from mainspring.app import App, LocalClient
from mainspring.core.errors import MainspringError
from mainspring.core.home import Home
from mainspring.core.operation import Request
from mainspring.core.settings import Settings, read_variable
from mainspring.server import ensure_owner
from mainspring.tracking import contract as tracking


class EmbeddedApp:
    """A home's database, held open between calls; the home is locked only during each."""

    def __init__(self, home: Home, workspace: str) -> None:
        settings = Settings(
            home=home.folder,
            database=read_variable("MAINSPRING_DATABASE"),
            artifacts=read_variable("MAINSPRING_ARTIFACTS"),
            audit=read_variable("MAINSPRING_AUDIT_FOLDER"),
        )
        self._app = App(settings)
        self._app.prepare()
        self.client = LocalClient(self._app, ensure_owner(self._app, home), workspace)
        # No server looks after this home: whoever comes says which runs have fallen silent.
        with contextlib.suppress(MainspringError):
            self.client.call(tracking.sweep_runs, Request())

    def close(self) -> None:
        """Let go of the database."""
        self._app.close()


def open_home(home: Home, workspace: str) -> EmbeddedApp:
    """Open the home in this process; the caller holds its lock."""
    return EmbeddedApp(home, workspace)
