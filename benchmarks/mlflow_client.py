"""What a benchmark asks of an unmodified MLflow client: run by a Python that has mlflow.

    python mlflow_client.py URL WORKLOAD COUNT PROCESSES

Prints one JSON object: calls a second over all processes, the median and the 95th percentile of a call.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

WARM_UP = 10
BATCH = 1000


def log_metric(client: MlflowClient, _worker: int) -> Callable[[int], Any]:
    """One value a call, its step counted up."""
    run = client.create_run("0").info.run_id
    return lambda place: client.log_metric(run, "loss", 1.0 / (place + 1), step=place)


def log_batch(client: MlflowClient, _worker: int) -> Callable[[int], Any]:
    """1000 values a call, of ten metrics."""
    run = client.create_run("0").info.run_id

    def call(place: int) -> None:
        now = int(time.time() * 1000)
        points = [
            Metric(f"metric-{one % 10}", (one * 7919 % 1000) / 7.0, now, place * 100 + one // 10)
            for one in range(BATCH)
        ]
        client.log_batch(run, metrics=points)

    return call


def create_version(client: MlflowClient, worker: int) -> Callable[[int], Any]:
    """One more version of a model."""
    name = f"model-{worker}-{time.time_ns()}"
    client.create_registered_model(name)
    run = client.create_run("0").info
    source = f"{run.artifact_uri}/model"
    return lambda _place: client.create_model_version(name, source, run.run_id)


def resolve_alias(client: MlflowClient, worker: int) -> Callable[[int], Any]:
    """The version that an alias points at."""
    name = f"aliased-{worker}-{time.time_ns()}"
    create_version_of(client, name)
    client.set_registered_model_alias(name, "champion", "1")
    return lambda _place: client.get_model_version_by_alias(name, "champion")


def create_version_of(client: MlflowClient, name: str) -> None:
    """A model with one version."""
    client.create_registered_model(name)
    run = client.create_run("0").info
    client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)


WORKLOADS = {
    function.__name__: function
    for function in (log_metric, log_batch, create_version, resolve_alias)
}


def work(call: Callable[[int], Any], count: int, start: Any, times: Any) -> None:
    """Make the calls of one process, when all are ready."""
    for place in range(WARM_UP):
        call(place)
    took = []
    start.wait()
    began = time.time()
    for place in range(count):
        before = time.perf_counter()
        call(WARM_UP + place)
        took.append(time.perf_counter() - before)
    times.put((began, time.time(), took))


def main() -> None:
    """Run the processes, print what they took."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    url, workload, count, processes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    fork = multiprocessing.get_context("fork")
    start, times = fork.Barrier(processes + 1), fork.Queue()
    calls = [WORKLOADS[workload](MlflowClient(url), worker) for worker in range(processes)]
    workers = [fork.Process(target=work, args=(call, count, start, times)) for call in calls]
    for worker in workers:
        worker.start()
    start.wait()
    print("started", flush=True)  # the benchmark reads the server's CPU now, without the warm-up
    found = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(end for _, end, _ in found) - min(began for began, _, _ in found)
    took = sorted(one for _, _, each in found for one in each)
    print(
        json.dumps(
            {
                "calls": len(took),
                "rate": len(took) / seconds,
                "p50_ms": statistics.median(took) * 1000,
                "p95_ms": took[int(len(took) * 0.95)] * 1000,
            }
        )
    )


if __name__ == "__main__":
    main()
