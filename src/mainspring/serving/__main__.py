"""`python -m mainspring.serving --snapshot FILE`: one data plane, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop

from mainspring.core.errors import MainspringError
from mainspring.serving.fleet import load_fleet
from mainspring.serving.listening import Server, bound
from mainspring.serving.recorder import Recorder
from mainspring.serving.server import DataPlane, segment_limits
from mainspring.serving.snapshot import Snapshot, read_snapshot

DRAIN_SECONDS = 20
"""In-flight requests get this long after SIGTERM; hosts kill after 30."""


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
        with bound(snapshot.host, snapshot.port) as listener:
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

    def ready() -> None:
        sys.stdout.write(f"serving {snapshot.deployment} on http://{host}:{snapshot.port}\n")
        sys.stdout.flush()

    ticking = asyncio.create_task(app.tick())
    server = Server(config, ready)
    app.watch(server.server_state.tasks)
    await server.serve(sockets=[listener])
    ticking.cancel()


if __name__ == "__main__":
    sys.exit(main())
