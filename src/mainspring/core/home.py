"""The home folder: who writes in it, where its server answers, the token of its owner."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mainspring.core.access import looks_like_token
from mainspring.core.errors import Conflict, Invalid
from mainspring.core.file_lock import FileLock


class Taken(Conflict):
    """When another process writes in the home: it says nothing of what was asked."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What a server says of itself in its home."""

    pid: int
    url: str
    started_at: str


class Home:
    """One folder that holds everything of an embedded installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._lock_path = self.folder / "lock"
        self._server_path = self.folder / "server.json"
        self.token_path = self.folder / "token"

    def make(self) -> None:
        """Make the folder, of which no repository around it takes notice."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignored = self.folder / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
        except OSError as error:
            raise Invalid(
                f"the home {self.folder} cannot be written: {error.strerror}",
                field="MAINSPRING_HOME",
                fix="set MAINSPRING_HOME to a folder of your own",
            ) from error

    @contextmanager
    def writing(self, patience_s: float = 0.0) -> Iterator[None]:
        """Be the one process that writes here; raises `Conflict` if another is, at once if a server."""
        self.make()
        lock = FileLock(self._lock_path)
        deadline = time.monotonic() + patience_s
        while not lock.take():
            if self._published() or time.monotonic() >= deadline:
                raise self._taken()
            time.sleep(0.01)
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether some process writes here now."""
        if not self._lock_path.exists():
            return False
        lock = FileLock(self._lock_path)
        taken = lock.take()
        lock.release()
        return not taken

    def server(self) -> RunningServer | None:
        """The server that runs on this home; a file that a dead one left counts as none."""
        try:
            found = RunningServer(**json.loads(self._server_path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if self.is_locked() and Path(f"/proc/{found.pid}").exists() else None

    def _published(self) -> bool:
        """Whether a server that lives says that it runs here."""
        try:
            found = RunningServer(**json.loads(self._server_path.read_text()))
        except (OSError, ValueError, TypeError):
            return False
        return Path(f"/proc/{found.pid}").exists()

    def publish(self, server: RunningServer) -> None:
        """Say where the server answers."""
        aside = self._server_path.with_suffix(".part")
        aside.write_text(json.dumps(asdict(server)))
        aside.replace(self._server_path)

    def withdraw(self) -> None:
        """Say that there is no server any more."""
        self._server_path.unlink(missing_ok=True)

    def token(self) -> str | None:
        """The owner's token, if this home has one that we may read and that can be one."""
        try:
            found = self.token_path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
        return found if looks_like_token(found) else None

    def keep_token(self, token: str) -> None:
        """Write the owner's token so that only they can read it."""
        handle = os.open(self.token_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(token + "\n")

    def _taken(self) -> Taken:
        try:
            found = RunningServer(**json.loads(self._server_path.read_text()))
            who = f"the server of process {found.pid} at {found.url}"
        except (FileNotFoundError, ValueError, TypeError):
            who = "another process"
        return Taken(
            f"the home {self.folder} is in use by {who}; one process writes at a time",
            fix=f"stop it: mainspring down --home {self.folder}; or take another --home",
        )
