"""The machine and the Python of a run: what it takes to have the same again, or to see why not."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil

from mainspring.core.settings import captured_variables, clean_environment
from mainspring.recording.capture import packages
from mainspring.recording.capture.accelerators import Accelerators
from mainspring.recording.capture.limits import container, limits
from mainspring.recording.redaction import redacted_value

ASKED_S = 20.0


def environment(interpreter: str | None = None) -> dict[str, Any]:
    """Python, packages, system and hardware; of another interpreter if one is named."""
    found = _python(interpreter)
    found |= {
        "system": platform.platform(),
        "os": _distribution(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        **limits(),
        **Accelerators().described(),
        "container": container(),
        "host": socket.gethostname(),
        "user": _user(),
        "variables": {
            name: redacted_value(name, value) for name, value in captured_variables().items()
        },
    }
    return {name: value for name, value in found.items() if value is not None}


def _python(interpreter: str | None) -> dict[str, Any]:
    if interpreter is None or _is_this(Path(interpreter)):
        return packages.described()
    try:
        done = subprocess.run(  # noqa: S603  the interpreter that the user is about to run
            [interpreter, packages.__file__],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=clean_environment(PYTHONPATH="", MAINSPRING_AUTOLOG=""),
            timeout=ASKED_S,
            check=True,
        )
        found: dict[str, Any] = msgspec.json.decode(done.stdout, type=dict[str, Any])
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return {"executable": interpreter}
    return found


def _is_this(interpreter: Path) -> bool:
    """Whether it is the Python that runs us: `python` and `python3` of one folder are."""
    own = Path(sys.executable)
    same_file = interpreter.resolve() == own.resolve()
    return same_file and interpreter.parent.resolve() == own.parent.resolve()


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's number without a name
        return None
