"""`mainspring up`: API, jobs, supervisor and upkeep in one process."""

from __future__ import annotations

import asyncio
import getpass
import ipaddress
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import uvicorn
import uvloop

from mainspring import __version__
from mainspring.administration import contract as administration
from mainspring.administration.actor_store import has_administrator
from mainspring.administration.store import pending_jobs, workspaces
from mainspring.administration.tokens import retire_tokens
from mainspring.app import OPERATIONS, SERVICE, TRAINER, App, LocalClient
from mainspring.core import jobs
from mainspring.core.access import token_hash
from mainspring.core.clock import utc_now
from mainspring.core.errors import Blocked, MainspringError
from mainspring.core.home import Home, RunningServer
from mainspring.core.ids import new_id
from mainspring.core.memory import collect_rarely, give_back, use_few_heaps
from mainspring.core.operation import Request
from mainspring.core.settings import Settings
from mainspring.courier import Courier
from mainspring.deployment.supervisor import Supervisor
from mainspring.dispatcher import ChildLaneThread, LaneThread, LeaseThread
from mainspring.group_commit import GroupCommit
from mainspring.interfaces.http.api import http_api
from mainspring.interfaces.http.front import Served
from mainspring.monitoring import contract as monitoring
from mainspring.notary import Notary
from mainspring.registry import contract as registry
from mainspring.serving.binding import bound
from mainspring.serving.listening import Server
from mainspring.spool_watch import SpoolWatch
from mainspring.tracking import contract as tracking

LOOK_S = 0.25
"""How often the supervisor looks at the deployments."""
UPKEEP_S = 5.0
UP_PATIENCE_S = 5.0
"""A script may be in the middle of a call on the home; it lets go after each."""
OTHER_PORT = "take another: mainspring up --port PORT"
DRAIN_S = 10
UPKEEP = (
    tracking.sweep_runs,
    registry.expire_promotions,
    monitoring.escalate,
    monitoring.run_schedules,
    administration.tidy,
)
"""What has to be done as time passes, whether or not anything happens."""

log = logging.getLogger("mainspring.server")

ServerThread: TypeAlias = (
    "LaneThread | LeaseThread | Caretaker | GroupCommit | Courier | SpoolWatch | Notary"
)


def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; the exit code of a refusal to start is its error's."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    use_few_heaps()
    collect_rarely()
    home = Home(settings.home)
    with home.writing(UP_PATIENCE_S), bound(settings.host, settings.port, OTHER_PORT) as listener:
        app = App(settings)
        try:
            app.prepare()
            own_token = ensure_owner(app, home)
            check_reach(app, listener.getsockname()[0], own_token)
            _run(app, home, listener, own_token)
        finally:
            app.close()
    return 0


def ensure_owner(app: App, home: Home) -> str:
    """The token of the home's owner; a new home gets its first person, who administers it."""
    token = home.token()
    if token is None:
        name = re.sub(r"[^A-Za-z0-9_\-.]", "-", getpass.getuser()).strip(".") or "owner"
        token = app.token_of("person", name, "admin")
        home.keep_token(token)
    return token


def check_reach(app: App, host: str, own_token: str) -> None:
    """Refuse to be reached from elsewhere while nobody but the home's owner could administer it."""
    if ipaddress.ip_address(host).is_loopback:
        return
    with app.database.read() as connection:
        there_is_one = has_administrator(connection, token_hash(own_token), utc_now())
    if not there_is_one:
        raise Blocked(
            f"the server was not started on {host}, where others reach it",
            ["no administrator has a password, or a token beside the home's own"],
            fix="mainspring people set-password --first, then start it again",
        )


def _run(app: App, home: Home, listener: socket.socket, own_token: str) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    token, owner = _service_token(app, SERVICE, "service"), new_id()
    trainer = _service_token(app, TRAINER, "trainer")
    if app.database.is_sqlite:
        with app.database.write() as connection:
            jobs.release_others(connection, owner, utc_now())
    local = f"http://127.0.0.1:{port}" if _is_any(host) else url
    caretaker, recorder = Caretaker(app, token), GroupCommit(app)
    # A store that is emptied between tests has nothing to prove.
    notaries = [] if app.settings.testing else [Notary(app)]
    threads: list[ServerThread] = [
        recorder,
        LaneThread(app, "server", owner, token),
        ChildLaneThread(app, "worker", owner, token, (local, token)),
        ChildLaneThread(app, "training", owner, token, (local, trainer)),
        LeaseThread(app, owner),
        Courier(app, token),
        SpoolWatch(app, home.folder, own_token),
        caretaker,
        *notaries,
    ]
    config = uvicorn.Config(
        http_api(_served(app, recorder, host, own_token), OPERATIONS.values()),
        http="httptools",
        # A header must not say who the peer is: only the socket does.
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    for thread in threads:
        thread.start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(config, lambda: _announce(home, url)).serve(sockets=[listener]))
    finally:
        home.withdraw()
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join(DRAIN_S)
        caretaker.end_deployments()
        for notary in notaries:
            notary.finish()


def _served(app: App, recorder: GroupCommit, host: str, own_token: str) -> Served:
    return Served(
        perform=app.run,
        blobs=app.blobs,
        health=lambda: {
            "status": "ok",
            "version": __version__,
            "pid": os.getpid(),
            "jobs": _jobs(app),
        },
        hosts=_hosts(host, app.settings.allowed_hosts),
        origins=app.settings.allowed_origins,
        record=recorder.record,
        sign_in=app.sign_in.prove,
        own_token=own_token,
        reset=app.reset if app.settings.testing else None,
    )


def _announce(home: Home, url: str) -> None:
    """Tell everybody where we answer."""
    home.publish(RunningServer(os.getpid(), url, utc_now().isoformat()))
    sys.stdout.write(f"Mainspring {__version__} on {url}  (home {home.folder})\n")
    sys.stdout.flush()


def _jobs(app: App) -> int:
    with app.database.read() as connection:
        return pending_jobs(connection)


def _service_token(app: App, name: str, role: str) -> str:
    """A fresh token for a service of ours; those of earlier starts are worthless from now on."""
    if app.database.is_sqlite:
        with app.database.write() as connection:
            retire_tokens(connection, "service", name, utc_now())
    return app.token_of("service", name, role)


def _is_any(host: str) -> bool:
    return ipaddress.ip_address(host).is_unspecified


def _hosts(host: str, more: frozenset[str]) -> frozenset[str]:
    """The Host headers that are ours; when every address is served and none named, any may be one."""
    if _is_any(host) and not more:
        return frozenset()
    return frozenset({host, f"[{host}]", "localhost", "127.0.0.1", "[::1]"}) | more


class Caretaker(threading.Thread):
    """Looks after what changes by itself: processes and the passing of time."""

    def __init__(self, app: App, token: str) -> None:
        super().__init__(name="caretaker", daemon=True)
        self._app = app
        self._token = token
        self._supervisor = Supervisor(app.settings.home, app.blobs)
        self._stopping = threading.Event()
        self._faults: dict[str, str] = {}

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopping.set()

    def end_deployments(self) -> None:
        """End the data planes; the next start brings back those that are wanted."""
        self._supervisor.end_all()

    def run(self) -> None:
        """Look at the processes often, at the rest now and then."""
        waited = UPKEEP_S
        while not self._stopping.wait(LOOK_S):
            waited += LOOK_S
            due = waited >= UPKEEP_S
            if due:
                waited = 0.0
            try:
                self._turn(due=due)
            except Exception as error:
                # The database may be away for a while: a caretaker that ends would never come back.
                if self._tell("the installation", repr(error)):
                    log.exception("looking after the installation")
            else:
                self._faults.pop("the installation", None)

    def _turn(self, *, due: bool) -> None:
        if due:
            give_back()
            self._app.note_used_tokens()
        for workspace in self._workspaces():
            self._look_after(workspace, due=due)

    def _workspaces(self) -> list[str]:
        with self._app.database.read() as connection:
            return [workspace.name for workspace in workspaces(connection)]

    def _look_after(self, workspace: str, *, due: bool) -> None:
        client = LocalClient(self._app, self._token, workspace)
        self._guard(workspace, lambda: self._supervisor.look(client, workspace))
        for operation in UPKEEP if due else ():
            self._guard(
                f"{workspace}: {operation.name}", partial(client.call, operation, Request())
            )

    def _guard(self, workspace: str, look: Callable[[], object]) -> None:
        """The trouble of one must not keep the others from being looked after."""
        try:
            look()
        except MainspringError as error:
            self._tell(workspace, error.message)
        except Exception as error:
            if self._tell(workspace, repr(error)):
                log.exception("looking after %s", workspace)
        else:
            self._faults.pop(workspace, None)

    def _tell(self, what: str, fault: str) -> bool:
        """Log a fault when it is new: a look that fails four times a second must not fill the disk."""
        if self._faults.get(what) == fault:
            return False
        self._faults[what] = fault
        log.error("%s: %s", what, fault)
        return True
