"""A real data plane in a process of its own, and a caller of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

TOKEN, CONTROL = "predict-token", "control-token"
PREDICT = {"authorization": f"Bearer {TOKEN}"}
STEER = {"authorization": f"Bearer {CONTROL}"}
INFER = "/v2/models/tumour/infer"
ECHO = "/v2/models/echo/infer"
PATIENCE = 20.0


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool]) -> None:
    """Poll without sleeping blindly: fails when the condition does not come true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        select.select([], [], [], 0.01)


def served(place: Path | str, version: str = "1", name: str = "tumour") -> dict[str, str]:
    return {"name": name, "version": version, "place": str(place), "digest": "sha256:00"}


def row(count: int = 1, **changes: object) -> dict[str, Any]:
    """A good request for the model of these tests."""
    columns: dict[str, tuple[str, object]] = {
        "radius": ("FP64", 14.5),
        "texture": ("FP32", 20.25),
        "area": ("INT64", 600),
        "smooth": ("BOOL", True),
        "size": ("BYTES", "small"),
    }
    inputs = [
        {"name": name, "shape": [count], "datatype": datatype, "data": [value] * count}
        for name, (datatype, value) in columns.items()
    ]
    return {"inputs": inputs, **changes}


def echo(count: int = 1, **changes: object) -> dict[str, Any]:
    """A good request for the model that answers what it is sent."""
    columns: dict[str, tuple[str, list[object]]] = {
        "flag": ("BOOL", [n % 2 == 0 for n in range(count)]),
        "count": ("INT64", list(range(count))),
        "small": ("FP32", [n + 0.5 for n in range(count)]),
        "big": ("FP64", [n / 3 for n in range(count)]),
        "word": ("BYTES", [f"w\u00f6rd {n}" for n in range(count)]),
    }
    inputs = [
        {"name": name, "shape": [count], "datatype": datatype, "data": values}
        for name, (datatype, values) in columns.items()
    ]
    return {"inputs": inputs, **changes}


class Plane:
    """One data plane; `with` stops it whatever happens."""

    def __init__(
        self,
        folder: Path,
        models: list[dict[str, str]],
        log: dict[str, object] | None = None,
        **changes: object,
    ) -> None:
        self.port = free_port()
        self.log_folder = folder / "log"
        self.path = folder / "snapshot.json"
        self.snapshot: dict[str, Any] = {
            "deployment": "tumours",
            "host": "127.0.0.1",
            "port": self.port,
            "nonce": "0a1b",
            "models": models,
            "tokens": [hash_of(TOKEN)],
            "control": hash_of(CONTROL),
            "log": {"folder": str(self.log_folder), **(log or {})},
            **changes,
        }
        self.write()
        self.errors = folder / "stderr.txt"
        self.process: subprocess.Popen[str] | None = None
        self.client = self.caller()

    def caller(self) -> httpx2.Client:
        """Somebody who may predict, on connections of their own."""
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers=PREDICT,
            timeout=PATIENCE,
            verify=False,
        )

    def write(self, **changes: object) -> None:
        self.snapshot.update(changes)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(self.snapshot))
        temporary.replace(self.path)

    def start(self) -> str:
        """Start it and wait for the line that says it is ready."""
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mainspring.serving", "--snapshot", str(self.path)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors.read_text()
        return line

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE + 10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def workers(self) -> list[int]:
        """The pids of its processes."""
        pids: list[int] = json.loads(self.path.with_name("group.json").read_text())["workers"]
        return pids

    def infer(self, body: object, path: str = INFER) -> httpx2.Response:
        return self.client.post(path, json=body)

    def control(self, verb: str) -> httpx2.Response:
        return self.client.post(f"/control/{verb}", headers=STEER)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            self.stop(signal.SIGKILL)
