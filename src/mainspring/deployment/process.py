"""A data plane's process as a supervisor sees it: started, recognised, asked, ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.settings import clean_environment
from mainspring.deployment.contract import Process
from mainspring.serving.group import STOPPED

STAT_START_TIME = 19
"""Place of the start time among the fields after the name in /proc/PID/stat (proc(5): field 22)."""


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks after boot; None if it is gone or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[STAT_START_TIME])


def _stat(pid: int) -> list[str] | None:
    """The fields after the name in /proc/PID/stat, the state first; None if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def is_alive(process: Process | None) -> bool:
    """Whether the very process that was started still runs: a pid alone may be another's by now."""
    return process is not None and start_time(process.pid) == process.started


def is_stopped(process: Process) -> bool:
    """Whether it was stopped by a signal or a debugger, and won't go on by itself."""
    fields = _stat(process.pid)
    return fields is not None and fields[0] in STOPPED


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether the port can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def new_nonce() -> str:
    """What tells this start of a data plane from every other."""
    return secrets.token_hex(16)


def launch(snapshot: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a data plane in a session of its own: it outlives a supervisor that is killed."""
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  our own interpreter, our own module
            [sys.executable, "-m", "mainspring.serving", "--snapshot", str(snapshot)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=clean_environment(OMP_NUM_THREADS="1"),
        )


def last_words(log: Path) -> str:
    """What a process wrote in the end that does not come up."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return text[-1500:].replace("\x00", "").strip() or "it ended without a word"


def end(process: Process, *, at_once: bool = False) -> None:
    """Ask the process to finish its requests and go, or kill it."""
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL if at_once else signal.SIGTERM)


def ask(
    process: Process, verb: str, path: str, token: str = "", timeout_s: float = 10.0
) -> tuple[int, Any]:
    """Send one request to a data plane; (0, None) if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=timeout_s)
    try:
        connection.request(verb, path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read())
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return 0, None
    finally:
        connection.close()
