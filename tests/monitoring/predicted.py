"""A prediction log as the data plane leaves it: Parquet files, with the entity of each row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.clock import to_micros
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import Process, Report
from mainspring.serving.frame_table import BASE, MOMENT
from tests.house import Clients
from tests.story import MODEL

Made = tuple[str, str | None, dt.datetime]
"""Request id, entity and event time of a prediction."""


def write_log(folder: Path, *made: Made, inputs: dict[str, list[float]] | None = None) -> None:
    """One file of the log, named as sealed ones are; scores rise with the first input."""
    folder.mkdir(parents=True, exist_ok=True)
    ids, entities, times = zip(*made, strict=True)
    columns = {
        "request_id": pa.array(ids, pa.string()),
        "event_time": pa.array(times, MOMENT),
        "recorded_at": pa.array(times, MOMENT),
        "model": pa.repeat(MODEL, len(made)),
        "version": pa.repeat("1", len(made)),
        "entity_key": pa.array(entities, pa.string()),
        "latency_us": pa.repeat(900, len(made)),
    }
    assert list(columns) == BASE.names
    for name, values in (inputs or {}).items():
        columns[f"input.{name}"] = pa.array(values, pa.float64())
        columns["output.score"] = pa.array([value / 200 for value in values], pa.float64())
    span = f"{to_micros(min(times))}-{to_micros(max(times))}"
    place = folder / f"{span}-{len(list(folder.iterdir())):06}.parquet"
    pq.write_table(pa.table(columns), place)


def logs_to(clients: Clients, folder: Path) -> None:
    """Say where the deployment writes its predictions."""
    process = Process(pid=1, started=1, nonce="x", port=1, log_folder=str(folder))
    request = Report(deployment=MODEL, state="ready", served=1, process=process)
    clients.service.call(deployment.report, request)
