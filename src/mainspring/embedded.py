"""Operations performed in the caller's own process, on a home that no server runs on."""

from __future__ import annotations

from mainspring.app import App, LocalClient
from mainspring.core.home import Home
from mainspring.core.settings import Settings, read_variable
from mainspring.server import ensure_owner


class EmbeddedApp:
    """A home's database, held open between calls; the home is locked only during each."""

    def __init__(self, home: Home, workspace: str) -> None:
        settings = Settings(
            home=home.folder,
            database=read_variable("MAINSPRING_DATABASE"),
            artifacts=read_variable("MAINSPRING_ARTIFACTS"),
        )
        self._app = App(settings)
        self._app.prepare()
        self.client = LocalClient(self._app, ensure_owner(self._app, home), workspace)

    def close(self) -> None:
        """Let go of the database."""
        self._app.close()


def open_home(home: Home, workspace: str) -> EmbeddedApp:
    """Open the home in this process; the caller holds its lock."""
    return EmbeddedApp(home, workspace)
