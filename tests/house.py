"""The house as the tests enter it: its people, their clients, a clock that can be put forward."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mainspring.app import OPERATIONS, App, LocalClient
from mainspring.core.access import Caller
from mainspring.core.clock import utc_now
from mainspring.core.operation import FileClient, Operation
from mainspring.group_commit import GroupCommit
from mainspring.interfaces.http.api import http_api
from mainspring.interfaces.http.front import Served
from mainspring.interfaces.remote import RemoteClient

T = TypeVar("T")

DEADLINE_S = 10.0
ROLES = {
    "ada": "admin",
    "dora": "developer",
    "paul": "approver",
    "petra": "approver",
    "vera": "viewer",
    "ole": "deployer",
}
"""The people of every test house, each with the role everywhere."""
SERVICE = "mainspring"


class Clock:
    """The wall clock, which a test may put forward."""

    def __init__(self) -> None:
        self._ahead = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        return utc_now() + self._ahead

    def advance(self, **span: float) -> None:
        """Let time pass: `clock.advance(days=15)`."""
        self._ahead += dt.timedelta(**span)


class Clients:
    """One client for each person, all over the same transport, made when first asked for."""

    def __init__(
        self,
        make: Callable[[str], FileClient],
        sign_in: Callable[[str], FileClient] | None = None,
    ) -> None:
        self._make = make
        self._sign_in = sign_in

    def signed_in(self, token: str) -> FileClient:
        """The client of whoever the token proves."""
        assert self._sign_in is not None
        return self._sign_in(token)

    @cached_property
    def admin(self) -> FileClient:
        """Ada."""
        return self._make("ada")

    @cached_property
    def developer(self) -> FileClient:
        """Dora."""
        return self._make("dora")

    @cached_property
    def approver(self) -> FileClient:
        """Paul."""
        return self._make("paul")

    @cached_property
    def second_approver(self) -> FileClient:
        """Petra."""
        return self._make("petra")

    @cached_property
    def viewer(self) -> FileClient:
        """Vera."""
        return self._make("vera")

    @cached_property
    def deployer(self) -> FileClient:
        """Ole."""
        return self._make("ole")

    @cached_property
    def service(self) -> FileClient:
        """Mainspring's own service."""
        return self._make(SERVICE)


class Blobs:
    """The files of the application that is shown now."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def __getattr__(self, name: str) -> Any:
        return getattr(self._front.shown.blobs, name)


class Front:
    """One real server for all tests of a process; each test puts its own application behind it."""

    def __init__(self) -> None:
        self._shown: App | None = None
        self._recorder: GroupCommit | None = None
        # Some two hundred routes: they are made once, and lead to whichever application is shown.
        self._apis: dict[frozenset[str], ASGIApp] = {}
        self._behind: ASGIApp | None = None
        config = uvicorn.Config(
            self._serve,
            port=0,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._behind is not None, "no test has put an application behind the server"
        await self._behind(scope, receive, send)

    @property
    def shown(self) -> App:
        """The application that is served now."""
        assert self._shown is not None, "no test has put an application behind the server"
        return self._shown

    def start(self) -> None:
        """Listen on a free port."""
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        """Finish what is at hand and end."""
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)

    def _record(self, app: App) -> None:
        """Begin to write for this application; the recorder of the one before has ended."""
        if self._recorder is not None:
            self._recorder.stop()
        self._recorder = GroupCommit(app)
        self._recorder.start()

    def show(self, app: App, hosts: frozenset[str] = frozenset()) -> str:
        """Serve the application, under some names alone if there are any; answers where."""
        self._shown = app
        self._record(app)
        if hosts not in self._apis:
            self._apis[hosts] = http_api(self._served(hosts), OPERATIONS.values())
        self._behind = self._apis[hosts]
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def _served(self, hosts: frozenset[str]) -> Served:
        async def record(operation: Operation[Any, Any], request: Any, caller: Caller) -> Any:
            assert self._recorder is not None
            return await self._recorder.record(operation, request, caller)

        async def sign_in(name: str, password: str, address: str) -> str:
            return await self.shown.sign_in.prove(name, password, address)

        def perform(operation: Operation[Any, Any], request: Any, caller: Caller) -> Any:
            return self.shown.run(operation, request, caller)

        return Served(
            perform=perform,
            blobs=Blobs(self),
            health=lambda: {"status": "ok"},
            hosts=hosts,
            sign_in=sign_in,
            record=record,
        )


def local_client(app: App, token: str, workspace: str = "default") -> LocalClient:
    """A client in this process."""
    return LocalClient(app, token, workspace)


def remote_client(url: str, token: str, workspace: str = "default") -> RemoteClient:
    """A client over HTTP that does not wait for a server that is away."""
    return RemoteClient(url, token, workspace, patience_s=0)


def wait_until(holds: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Look again and again until it holds; fails at the deadline."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"did not happen within {within_s} s"
        threading.Event().wait(0.005)


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """Make all calls from threads of their own, started together; errors are answers too."""
    start = threading.Barrier(len(calls))

    def attempt(call: Callable[[], T]) -> T | Exception:
        start.wait(DEADLINE_S)
        try:
            return call()
        except Exception as error:  # noqa: BLE001  the caller looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(attempt, calls))
