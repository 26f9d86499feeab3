"""`python -m mainspring.serving --snapshot FILE`: one data plane, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
import uvloop

from mainspring.core.errors import Conflict, Invalid, MainspringError
from mainspring.serving.fleet import load_fleet
from mainspring.serving.recorder import Recorder
from mainspring.serving.server import DataPlane, segment_limits
from mainspring.serving.snapshot import Snapshot, read_snapshot

DRAIN_SECONDS = 20
"""In-flight requests get this long after SIGTERM; hosts kill after 30."""


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with 0 when told to stop."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._ready}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The parent's version raises the signal again at the end, so that the exit is not 0.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code of a refusal is its error's."""
    parser = argparse.ArgumentParser(prog="python -m mainspring.serving", description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True, metavar="FILE")
    path: Path = parser.parse_args(arguments).snapshot
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        snapshot = read_snapshot(path)
        with _listener(snapshot) as listener:
            fleet = load_fleet(snapshot)
            recorder = Recorder(Path(snapshot.log_folder), snapshot.nonce, segment_limits(snapshot))
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_serve(DataPlane(path, fleet, recorder), snapshot, listener))
            finally:
                recorder.close()
    except MainspringError as error:
        text = f"{error.message}; {error.fix}" if error.fix else error.message
        sys.stderr.write(f"mainspring.serving: {text}\n")
        return error.exit_code
    return 0


def _listener(snapshot: Snapshot) -> socket.socket:
    """The bound socket: a taken port shows before a model is loaded."""
    family = socket.AF_INET6 if ":" in snapshot.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((snapshot.host, snapshot.port))
    except OSError as error:
        listener.close()
        place = f"{snapshot.host}:{snapshot.port}"
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"{place} is taken by another process", field="port") from None
        raise Invalid(f"{place} cannot be served on: {error.strerror}", field="host") from None
    return listener


async def _serve(app: DataPlane, snapshot: Snapshot, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    host = f"[{snapshot.host}]" if ":" in snapshot.host else snapshot.host
    ready = f"serving {snapshot.deployment} on http://{host}:{snapshot.port}"
    ticking = asyncio.create_task(app.tick())
    await _Server(config, ready).serve(sockets=[listener])
    ticking.cancel()


if __name__ == "__main__":
    sys.exit(main())
