"""What training processes of this home left behind when they were killed: the server takes it in."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from mainspring.app import App, LocalClient
from mainspring.core.errors import MainspringError
from mainspring.recording.spool import folders, spool_of
from mainspring.recording.sync import sync

LOOK_S = 5.0

log = logging.getLogger("mainspring.server")


class SpoolWatch(threading.Thread):
    """Ships the spool of the home as its owner; runs whose processes live are theirs to ship."""

    def __init__(self, app: App, home: Path, own_token: str) -> None:
        super().__init__(name="spool watch", daemon=True)
        self._app = app
        self._spool = spool_of(home)
        self._token = own_token
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Look into the spool now and then."""
        while not self._stopping.wait(LOOK_S):
            for workspace in self._waiting():
                client = LocalClient(self._app, self._token, workspace)
                try:
                    synced = sync(self._spool, client, url=None, workspace=workspace)
                except MainspringError as error:
                    log.warning("the spool of the home: %s", error.message)
                    continue
                except Exception:
                    # Files of another release, a disk that is full: what is in the spool stays there.
                    log.exception("the spool of the home")
                    continue
                for run in synced.shipped:
                    log.info("run %s was in the spool and has arrived", run)

    def _waiting(self) -> set[str]:
        """The workspaces for which something lies there; what is for another server is not ours."""
        targets = (folder.target() for folder in folders(self._spool))
        return {target.workspace for target in targets if target is not None and not target.url}
