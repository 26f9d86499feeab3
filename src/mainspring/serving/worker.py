"""`python -m mainspring.serving.worker`: one process of a data plane, which its leader starts."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.extras import require
from mainspring.serving.access_log import AccessLog
from mainspring.serving.brevity import Brief
from mainspring.serving.connection import look_at
from mainspring.serving.express import ExpressConnection
from mainspring.serving.fleet import load_fleet
from mainspring.serving.heartbeat import READY, STUCK, Heartbeats
from mainspring.serving.http import said
from mainspring.serving.listening import Server
from mainspring.serving.plane import Plane, segment_limits
from mainspring.serving.recorder import Recorder, SegmentLimits
from mainspring.serving.server import DataPlane
from mainspring.serving.siblings import Siblings
from mainspring.serving.snapshot import Snapshot, read_snapshot

DRAIN_SECONDS = 20
"""In-flight requests get this long after SIGTERM; hosts kill after 30."""
PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""
GARBAGE = 20_000
"""New objects between two looks for garbage; Python's own 700 are ten requests."""
LAST_WORD_SECONDS = 1.0
"""Before that time is over, those whose answers are not there yet are told so."""
BEAT_SECONDS = 0.1
GRACE_SECONDS = 0.5
"""For telling the callers of a call that hangs, before its process is replaced."""
KEEP_BEATS = 10
"""After so many beats the counters and the access log are written."""

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code of a refusal is its error's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--heartbeats", type=int, required=True)
    parser.add_argument("--slot", type=int, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger().handlers[0].addFilter(Brief())
    # The leader blocks what it waits for, and a child inherits that.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _die_with_leader()
    try:
        Worker(options.snapshot, options.run, options.number).serve(
            socket.socket(fileno=options.listener), options.heartbeats, options.slot
        )
    except MainspringError as error:
        sys.stderr.write(f"mainspring.serving: {said(error)}\n")
        return error.exit_code
    return 0


class Worker:
    """One process: its models, its part of the prediction log, its counters."""

    def __init__(self, path: Path, run: Path, number: int) -> None:
        self._snapshot: Snapshot = read_snapshot(path)
        self._grpc: Any = None
        self._grpc_class: Any = None
        if self._snapshot.grpc_port is not None:
            # Before the models, which may take long: it may not be installed.
            self._grpc_class = require("mainspring.serving.grpc.server", "grpc").GrpcServer
        siblings = Siblings(run, number, self._snapshot.workers)
        fleet = load_fleet(self._snapshot)
        settings = self._snapshot.log
        self._recorder = None
        if settings is not None:
            limits = segment_limits(settings)
            self._recorder = _recorder(Path(settings.folder), self._snapshot.nonce, limits)
        access_log = self._snapshot.access_log
        self._access_log = AccessLog(Path(access_log)) if access_log else None
        self._plane = Plane(path, fleet, self._recorder, siblings)
        self._plane.metrics.go_on_from(siblings.left_here())

    def serve(self, listener: socket.socket, heartbeats: int, slot: int) -> None:
        """Answer until SIGTERM."""
        self._beats, self._slot = Heartbeats(heartbeats, 2 * self._snapshot.workers), slot
        # What is loaded stays; and a request leaves no cycles, so looking for some can wait.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE, 20, 50)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(listener))
        finally:
            if self._recorder is not None:
                self._recorder.close()
            self._keep()

    async def _serve(self, listener: socket.socket) -> None:
        app = DataPlane(self._plane, self._access_log)
        config = uvicorn.Config(
            app,
            http=ExpressConnection,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        await self._plane.listen()
        server = Server(config, lambda: self._beats.beat(self._slot, READY), self._stop)
        if self._grpc_class is None:
            self._plane.watch(server.server_state.tasks, app.express)
        else:
            self._grpc = self._grpc_class(self._plane, app.watch, self._access_log)
            self._plane.watch(server.server_state.tasks, app.express, self._grpc.under_way)
            await self._grpc.start(listener.getsockname()[0], self._snapshot.grpc_port)
        connections = server.server_state.connections
        self._plane.predictor.is_alone = lambda: len(connections) == 1
        ticking = asyncio.create_task(self._tick(app, server))
        await server.serve(sockets=[listener])
        ticking.cancel()

    async def _stop(self) -> None:
        """Say it to those who watch, before the port is closed."""
        self._plane.stop()
        asyncio.get_running_loop().call_later(
            DRAIN_SECONDS - LAST_WORD_SECONDS, self._plane.predictor.give_up
        )
        if self._grpc is not None:
            await self._grpc.stop(DRAIN_SECONDS)

    async def _tick(self, app: DataPlane, server: Server) -> None:
        """Show that this process lives, and do what is due."""
        beats = 0
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if server.started:
                self._show()
            app.watch.look()
            look_at(server.server_state.connections, app.watch.limits)
            beats += 1
            if beats % KEEP_BEATS == 0:
                if self._recorder is not None:
                    self._recorder.rotate_if_due()
                self._keep()

    def _show(self) -> None:
        seconds, model = self._plane.longest_call()
        limit = self._snapshot.limits.predict_seconds
        if seconds > limit + GRACE_SECONDS:
            text = f"a call of {model} has taken longer than {limit:g} s"
            self._beats.beat(self._slot, STUCK, text)
        else:
            self._beats.beat(self._slot, READY)

    def _keep(self) -> None:
        if self._access_log is not None:
            self._access_log.flush()
        try:
            self._plane.siblings.keep(self._plane.counts())
        except OSError:
            # On a full disk requests matter more than counters.
            log.warning("the counters cannot be kept", exc_info=True)


def _recorder(folder: Path, nonce: str, limits: SegmentLimits) -> Recorder:
    try:
        return Recorder(folder, nonce, limits)
    except OSError as error:
        raise Invalid(
            f"the prediction log cannot be kept in {folder}: {error.strerror}",
            field="log_folder",
            fix="name a folder that can be written, or keep no log",
        ) from None


def _die_with_leader() -> None:
    """Have the kernel end this process with the one that started it: the port is free again.

    A leader that stops by itself waits for its processes; only one that is killed does not.
    """
    leader = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != leader or leader == 1:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
