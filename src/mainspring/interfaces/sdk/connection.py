"""Find the server of a home, or work in this process when none runs."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mainspring.core.errors import Conflict, Unauthenticated, Unreachable
from mainspring.core.home import Home
from mainspring.core.operation import FileClient, Operation
from mainspring.core.settings import DEFAULT_WORKSPACE, home_folder, read_variable
from mainspring.interfaces.remote import RemoteClient

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")

LOCK_PATIENCE_S = 15.0
PATIENCE_S = 30.0
EMBEDDED = "mainspring.embedded"
"""The module that performs in this process; named, not imported, so that clients stay light."""


class Embedded(Protocol):
    """A client in this process, with the database it holds open."""

    client: FileClient

    def close(self) -> None:
        """Let go of the database."""
        ...


class _Opened:
    """The database that this process holds open, for whichever of its clients of a home comes."""

    def __init__(self) -> None:
        self.embedded: Embedded | None = None
        self.lock = threading.RLock()
        _everywhere.add(self)

    def after_fork(self) -> None:
        """In a forked child: a database that the parent holds open is the parent's."""
        if self.embedded is not None:
            _of_the_parent.append(self.embedded)
            self.embedded = None
        self.lock = threading.RLock()


_everywhere: weakref.WeakSet[_Opened | HomeClient] = weakref.WeakSet()
_of_the_parent: list[Embedded] = []
"""Kept, so that a child that lets go of them closes nothing."""


def _after_fork() -> None:
    for one in list(_everywhere):
        one.after_fork()


os.register_at_fork(after_in_child=_after_fork)


class HomeClient:
    """Writes to the home in this process, or goes to its server as soon as there is one."""

    def __init__(self, home: Home, workspace: str, patience_s: float = PATIENCE_S) -> None:
        self._home = home
        self._workspace = workspace
        self._patience_s = patience_s
        self._remote: tuple[str, RemoteClient] | None = None
        self._one_at_a_time = threading.RLock()
        self._opened = _Opened()
        _everywhere.add(self)

    def after_fork(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._one_at_a_time = threading.RLock()

    def impatient(self) -> HomeClient:
        """The same home, for a thread of its own: it is told at once that a server is away."""
        found = HomeClient(self._home, self._workspace, patience_s=0)
        found._opened = self._opened
        return found

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation where it can be performed now."""
        return self._with_client(lambda client: client.call(operation, request))

    def upload(self, digest: str, path: Path) -> None:
        """Store a file's bytes."""
        self._with_client(lambda client: client.upload(digest, path))

    def download(self, digest: str) -> Iterator[bytes]:
        """The bytes of a file."""
        return self._with_client(lambda client: client.download(digest))

    def close(self) -> None:
        """Let go of everything."""
        with self._opened.lock:
            if self._opened.embedded is not None:
                self._opened.embedded.close()
                self._opened.embedded = None
        if self._remote is not None:
            self._remote[1].close()

    def _with_client(self, use: Callable[[FileClient], T]) -> T:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        with self._one_at_a_time:
            while True:
                server = self._home.server()
                if server is not None:
                    return use(self._at(server.url))
                try:
                    with self._opened.lock, self._home.writing():
                        return use(self._here())
                except Conflict:
                    if not self._home.is_locked() or time.monotonic() > deadline:
                        raise
                time.sleep(0.05)

    def _at(self, url: str) -> RemoteClient:
        if self._remote is None or self._remote[0] != url:
            token = read_variable("MAINSPRING_TOKEN") or self._home.token() or ""
            self._remote = (url, RemoteClient(url, token, self._workspace, self._patience_s))
        return self._remote[1]

    def _here(self) -> FileClient:
        if self._opened.embedded is None:
            module: Any = import_module(EMBEDDED)
            self._opened.embedded = module.open_home(self._home, self._workspace)
        assert self._opened.embedded is not None
        return self._opened.embedded.client


class Connection:
    """A client, and where it leads."""

    def __init__(
        self, client: HomeClient | RemoteClient, home: Home | None, workspace: str
    ) -> None:
        self.client: FileClient = client
        self.home = home
        self.workspace = workspace
        self._client = client
        self._impatient: HomeClient | RemoteClient | None = None

    @property
    def impatient(self) -> FileClient:
        """The same for a thread that waits by itself: it is told at once that a server is away."""
        if self._impatient is None:
            self._impatient = self._client.impatient()
        return self._impatient

    @property
    def url(self) -> str | None:
        """The server's address; None while operations are performed in this process."""
        if isinstance(self._client, RemoteClient):
            return self._client.url
        server = self.home.server() if self.home else None
        return server.url if server else None

    @property
    def is_remote(self) -> bool:
        """Whether it leads to one address, whatever serves the home."""
        return isinstance(self._client, RemoteClient)

    @property
    def token(self) -> str | None:
        """The token that the connection signs in with."""
        given = read_variable("MAINSPRING_TOKEN")
        return given or (self.home.token() if self.home else None)

    def close(self) -> None:
        """Let go of everything."""
        self._client.close()
        if self._impatient is not None:
            self._impatient.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    home: Path | None = None,
    url: str | None = None,
    token: str | None = None,
    workspace: str | None = None,
) -> Connection:
    """Connect to the server that is named, else to the home's, else to the home itself."""
    workspace = workspace or read_variable("MAINSPRING_WORKSPACE") or DEFAULT_WORKSPACE
    url = url or (read_variable("MAINSPRING_URL") if home is None else None)
    place = Home(home or home_folder())
    if url is None and token is None:
        return Connection(HomeClient(place, workspace), place, workspace)
    if url is None:
        server = place.server()
        if server is None:
            raise Unreachable(
                f"a token was given, and no server runs on the home {place.folder}",
                fix="mainspring up, or leave the token out to work in this process",
            )
        url = server.url
    token = token or read_variable("MAINSPRING_TOKEN") or _token_for(place, url)
    return Connection(RemoteClient(url, token, workspace), place, workspace)


def _token_for(home: Home, url: str) -> str:
    """The home's token, if the address is the home's server: it is nobody else's business."""
    server = home.server()
    token = home.token()
    if server is None or server.url != url.rstrip("/") or token is None:
        raise Unauthenticated(f"no token for {url}", fix="set MAINSPRING_TOKEN, or give --token")
    return token
