"""Reads of large stores on the wire: searches, histories, the registry. Part of tracking.py."""

from __future__ import annotations

import http.client
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.servers import RunningServer, free_port, mainspring_command, running
from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.clock import from_micros
from mainspring.core.ids import new_id
from mainspring.core.settings import Settings
from mainspring.tracking import contract
from mainspring.tracking.contract import LogRun, OpenRun, Series

REPEATS = 15
VALUES = 50
"""Parameters, and metrics, of each run."""
BASE = 1_700_000_000_000_000
API = "/api/2.0/mlflow"
POST, GET = "POST", "GET"


def environment() -> dict[str, str]:
    """The environment of an MLflow client: no proxy, no telemetry."""
    return {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    }


class Filler:
    """Writes straight through the operations, many in one transaction."""

    def __init__(self, home: Path, database: str | None) -> None:
        self._app = App(Settings(home=home, database=database))
        self._app.prepare()
        token = self._app.token_of("person", "filler", "admin")
        self._caller = Caller(token=token, workspace="default", request_id=new_id(), named=False)

    def fill(self, requests: Iterator[tuple[Any, Any]], together: int = 500) -> None:
        """Perform all the operations."""
        waiting = list(_upto(requests, together))
        while waiting:
            with self._app.database.write() as connection:
                for operation, request in waiting:
                    self._app.run_in(connection, operation, request, self._caller)
            waiting = list(_upto(requests, together))

    def close(self) -> None:
        """Fold the log into the file."""
        self._app.database.checkpoint()
        self._app.close()


def _upto(items: Iterator[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item


@contextmanager
def filled(
    requests: Iterator[tuple[Any, Any]], database: str | None
) -> Iterator[tuple[RunningServer, Path]]:
    """A server on a home that holds what the requests made."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        home = folder / "home"
        if database is not None:
            command = [
                *mainspring_command(home, port)[:3],
                "admin",
                "migrate",
                "--database",
                database,
            ]
            subprocess.run([*command, "--home", str(home)], check=True, stdout=subprocess.DEVNULL)
        filler = Filler(home, database)
        began = time.perf_counter()
        filler.fill(requests)
        filler.close()
        print(f"  filled in {time.perf_counter() - began:.0f} s")
        with running(mainspring_command(home, port, database), port, folder, "/health") as server:
            yield server, home


def timed(
    server: RunningServer, method: str, path: str, fields: dict[str, Any]
) -> tuple[float, float, Any]:
    """The median milliseconds of a request on the wire, and of decoding its answer; the answer."""
    wire, decoding, answer = [], [], None
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for _ in range(REPEATS):
        began = time.perf_counter()
        if method == GET:
            connection.request(GET, f"{path}?{urlencode(fields, doseq=True)}")
        else:
            body = json.dumps(fields)
            connection.request(POST, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        raw = response.read()
        wire.append(time.perf_counter() - began)
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {raw[:300]!r}")
        began = time.perf_counter()
        answer = json.loads(raw)
        decoding.append(time.perf_counter() - began)
    return statistics.median(wire) * 1000, statistics.median(decoding) * 1000, answer


def show(name: str, wire: float, decoding: float, bar: float | None, found: str) -> None:
    """One line of the table."""
    verdict = "" if bar is None else f"  {'<=' if wire <= bar else 'OVER'} {bar:g} ms"
    print(
        f"  {name:<44}{wire:>9.1f} ms{verdict:<14}  (client's decoding {decoding:.1f} ms; {found})",
        flush=True,
    )


def _runs(count: int) -> Iterator[tuple[Any, Any]]:
    chance = random.Random(42)
    for number in range(count):
        run = new_id()
        yield (
            contract.open_run,
            OpenRun(
                id=run,
                name=f"run-{number}",
                started_at=from_micros(BASE + number * 1_000_000),
                watched=False,
                tags={
                    "mlflow.runName": f"run-{number}",
                    "team": chance.choice(["blue", "red", "green", "grey"]),
                    "dataset": f"d{chance.randrange(20)}",
                    "note": f"note {number}",
                },
            ),
        )
        params = {
            f"p{one}": f"{chance.choice(['adam', 'sgd', 'lamb', 'rmsprop'])}-{chance.randrange(1000)}"
            for one in range(VALUES)
        }
        at = BASE + number * 1_000_000
        series = [
            Series(key=f"m{one}", steps=[1], at=[at], values=[chance.random()])
            for one in range(VALUES)
        ]
        yield contract.log_run, LogRun(run=run, params=params, series=series)
        yield contract.finish_run, contract.FinishRun(run=run)


SEARCHES: dict[str, dict[str, Any]] = {
    "newest 100": {"max_results": 100},
    "metric filter and sort": {
        "filter": "metrics.m1 < 0.5", "order_by": ["metrics.m1 ASC"], "max_results": 100,
    },
    "parameter = and metric <": {
        "filter": "params.p1 = 'adam-7' and metrics.m2 < 0.3", "order_by": ["metrics.m2 DESC"],
        "max_results": 100,
    },
    "parameter LIKE, sorted by parameter": {
        "filter": "params.p3 LIKE '%am-77%'", "order_by": ["params.p3 ASC"], "max_results": 100,
    },
    "tag and attribute, two sorts": {
        "filter": "tags.team = 'blue' and attributes.status = 'FINISHED'",
        "order_by": ["metrics.m4 DESC", "attributes.start_time ASC"], "max_results": 100,
    },
    "newest 1000": {"max_results": 1000},
}  # fmt: skip


def searches(runs: int, database: str | None) -> None:
    """The six searches."""
    print(f"searches over {runs} runs of {VALUES} parameters and {VALUES} metrics")
    bar = None if database else 150.0
    with filled(_runs(runs), database) as (server, _):
        for name, wanted in SEARCHES.items():
            fields = {"experiment_ids": ["0"], **wanted}
            wire, decoding, answer = timed(server, POST, f"{API}/runs/search", fields)
            show(name, wire, decoding, bar, f"{len(answer.get('runs', []))} runs")
        print(f"  memory (PSS) after the searches: {server.pss_mb():.0f} MB")


def _long_series(points: int, run: str) -> Iterator[tuple[Any, Any]]:
    chance = random.Random(3)
    yield contract.open_run, OpenRun(id=run, watched=False)
    for start in range(0, points, 1000):
        steps = list(range(start, min(start + 1000, points)))
        one = Series(
            key="loss",
            steps=steps,
            at=[BASE + step * 1000 for step in steps],
            values=[chance.random() for _ in steps],
        )
        yield contract.log_run, LogRun(run=run, series=[one])


def history(points: int, database: str | None) -> None:
    """A page of points, a chart of all of them, and what a point takes on the disk."""
    print(f"history of one metric of {points} points")
    run = new_id()
    with filled(_long_series(points, run), database) as (server, home):
        one = {"run_id": run, "metric_key": "loss", "max_results": 25_000}
        wire, decoding, answer = timed(server, GET, f"{API}/metrics/get-history", one)
        show(
            "a page of 25,000 points",
            wire,
            decoding,
            None if database else 60,
            f"{len(answer['metrics'])} points",
        )
        chart = {"run_ids": [run], "metric_key": "loss", "max_results": 2000}
        path = f"{API}/metrics/get-history-bulk-interval"
        wire, decoding, answer = timed(server, GET, path, chart)
        show(
            "all, decimated to 2,000",
            wire,
            decoding,
            None if database else 50,
            f"{len(answer['metrics'])} points",
        )
        if database is None:
            size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
            each = size / points
            print(
                f"  bytes a point, everything in the home: {each:.1f}  {'<=' if each <= 45 else 'OVER'} 45"
            )


def registry(versions: int, database: str | None) -> None:
    """Searches of many versions, by name and by tag."""
    print(f"search of {versions} versions")
    with filled(iter(()), database) as (server, _):
        _register(server, versions)
        bar = None if database else 15.0
        for name, text in (("by name", "name='crowd'"), ("by tag", "tags.batch = '7'")):
            fields = {"filter": text, "max_results": 100}
            wire, decoding, answer = timed(server, GET, f"{API}/model-versions/search", fields)
            show(name, wire, decoding, bar, f"{len(answer['model_versions'])} versions")


def _register(server: RunningServer, versions: int) -> None:
    call = _caller(server)
    call("registered-models/create", {"name": "crowd"})
    for number in range(versions):
        tags = [{"key": "batch", "value": str(number // 100)}]
        call("model-versions/create", {"name": "crowd", "source": "s3://elsewhere/m", "tags": tags})


def _caller(server: RunningServer) -> Callable[[str, dict[str, Any]], None]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def call(path: str, fields: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        connection.request(POST, f"{API}/{path}", json.dumps(fields), headers)
        response = connection.getresponse()
        raw = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {raw[:300]!r}")

    return call
