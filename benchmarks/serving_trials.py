"""One trial of one server: started, loaded, ended, and all that it used. Part of serving.py.

The CPU time is that of every process that the server started, until the last of them has ended: what it does
after its last answer, as sealing the files of a log, counts. What a stop costs by itself is measured by a
trial without a load, and taken off.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.serving_peers import ROOT, Side, python_of
from benchmarks.serving_processes import Server, TrialFailed, served
from benchmarks.serving_requests import (
    DIFFERENT,
    MODEL,
    Form,
    Matrix,
    Metadata,
    Table,
    WrongAnswer,
    bento_body,
    check,
    grpc_inputs,
    http_request,
    numbers_of,
    oip_body,
    wanted_outputs,
)
from mainspring.monitoring.prediction_log import count_predictions

FEW_S = 0.3
"""How long one connection asks before the memory is read, or a stop without a load is measured."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked of a server."""

    form: Form
    rows: int
    connections: int

    def __str__(self) -> str:
        return f"{self.form}, {self.rows} row(s), {self.connections} connection(s)"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the parts of a trial take."""

    warm_s: float
    seconds: float
    quiet_s: float


class Bench:
    """Runs trials with one model, the server on one core and the load on another."""

    def __init__(self, models: Path, pace: Pace) -> None:
        self._models = models
        self._table = Table.read(models / "table.json")
        self._pace = pace
        self._cores = sorted(os.sched_getaffinity(0))
        if len(self._cores) < 2:
            raise SystemExit("two cores are needed: one for the server, one for the load")
        os.sched_setaffinity(0, self._cores[1:])

    def loaded(self, side: Side, work: Workload) -> Figures:
        """What a load costs a fresh server, its stop included."""
        with self._server(side) as server:
            spec = self._spec(server, work, self._pace.warm_s, self._pace.seconds)
            found, before = self._load(server, work, spec)
            spent = server.end() - before
            _check_log(server, int(found["answered"]) * work.rows)
        return {
            **found,
            "cpu_s": spent,
            "start_s": server.start_s,
            "machine_load": os.getloadavg()[0],
        }

    def idle(self, side: Side, *, quiet: bool) -> Figures:
        """The memory after a few requests and some quiet, and what a stop costs."""
        work = Workload("json", 1, 1)
        with self._server(side) as server:
            found, _ = self._load(server, work, self._spec(server, work, FEW_S, FEW_S))
            if quiet:
                time.sleep(self._pace.quiet_s)
            memory, before = server.pss_mb(), server.cpu_s()
            spent = server.end() - before
            _check_log(server, int(found["answered"]))
        return {"memory_mb": memory, "stop_s": spent, "start_s": server.start_s}

    @contextmanager
    def _server(self, side: Side) -> Iterator[Server]:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
            served(side, Path(name), self._models, self._cores[: side.cores]) as server,
        ):
            yield server

    def _spec(self, server: Server, work: Workload, warm_s: float, seconds: float) -> Path:
        """Write what the load is told."""
        spec: dict[str, Any] = {
            "connections": work.connections,
            "warm_s": warm_s,
            "seconds": seconds,
            # Where the server has all cores there are, the load shares them.
            "cores": self._cores[server.side.cores :][:1] or self._cores,
        }
        metadata = _metadata(server)
        blocks = [self._table.block(number, work.rows)[0] for number in range(DIFFERENT)]
        if work.form == "grpc":
            spec |= {
                "address": f"127.0.0.1:{server.place.grpc_port}",
                "token": server.side.bearer,
                "model": MODEL,
                "requests": [grpc_inputs(metadata, rows) for rows in blocks],
                "outputs": wanted_outputs(metadata),
            }
        else:
            requests = [_request(server.side, metadata, rows, work.form) for rows in blocks]
            spec |= {
                "host": "127.0.0.1",
                "port": server.place.port,
                "requests": [base64.b64encode(one).decode() for one in requests],
            }
        path = server.place.folder / "load.json"
        path.write_text(json.dumps(spec))
        return path

    def _load(self, server: Server, work: Workload, spec: Path) -> tuple[Figures, float]:
        """Run the load; what it found, and the server's CPU time before it began to count."""
        grpc = work.form == "grpc"
        python = python_of("mlserver") if grpc else sys.executable
        module = "benchmarks.serving_grpc" if grpc else "benchmarks.serving_load"
        with subprocess.Popen(
            [str(python), "-m", module, str(spec)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as load:  # fmt: skip
            assert load.stdin is not None
            assert load.stdout is not None
            _expect(load.stdout, "warm")
            before = server.cpu_s(load.pid)
            load.stdin.write("go\n")
            load.stdin.flush()
            line = load.stdout.readline()
        if load.returncode or not line:
            raise TrialFailed(f"{server.side.title}: the load ended with {load.returncode}")
        found = json.loads(line)
        for number, answer in found.pop("first").items():
            expected = self._table.block(int(number), work.rows)[1]
            check(_numbers(answer, work.form), expected)
        return found, before


def _numbers(answer: Any, form: Form) -> list[Matrix]:
    if form == "grpc":
        return [np.array(output) for output in answer]
    return numbers_of(base64.b64decode(answer))


def _expect(stream: IO[str], word: str) -> None:
    line = stream.readline()
    if line.strip() != word:
        raise TrialFailed(f"the load said {line!r} where {word!r} was wanted")


def _metadata(server: Server) -> Metadata:
    """What the model takes and gives, as the server says; BentoML's has no such page."""
    if server.side.kind == "bentoml":
        return {}
    connection = http.client.HTTPConnection("127.0.0.1", server.place.port, timeout=10)
    bearer = server.side.bearer
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    connection.request("GET", f"/v2/models/{MODEL}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise TrialFailed(f"{server.side.title}: metadata: {answer.status} {body[:300]!r}")
    found: Metadata = json.loads(body)
    return found


def _request(side: Side, metadata: Metadata, rows: Matrix, form: Form) -> bytes:
    if side.kind == "bentoml":
        body, headers = bento_body(rows)
    else:
        body, headers = oip_body(metadata, rows, form)
    return http_request(side.path, body, headers, side.bearer)


def _check_log(server: Server, rows: int) -> None:
    """Every row that was answered is in our log, or nothing was measured."""
    if not server.side.logs:
        return
    top = server.place.folder / "log"
    folders = [top, *(path for path in top.rglob("*") if path.is_dir())]
    found = sum(count_predictions(folder, None, None) for folder in folders)
    if found != rows:
        raise WrongAnswer(f"{server.side.title}: {rows} rows were answered, {found} are logged")
