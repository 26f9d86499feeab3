"""Predictions whose truth is known: the log joined with the labels by request id."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa

from mainspring.core.operation import FileClient
from mainspring.core.signature import Signature
from mainspring.deployment.contract import Deployment
from mainspring.monitoring import contract
from mainspring.monitoring.contract import ReadLabels
from mainspring.monitoring.prediction_log import read_predictions


def labels_between(
    client: FileClient, deployment: str, since: dt.datetime, until: dt.datetime
) -> dict[str, float]:
    """The labels that became known in a stretch of event time, by request id."""
    found: dict[str, float] = {}
    after: int | None = 0
    while after is not None:
        request = ReadLabels(
            deployment=deployment, known_from=since, known_until=until, after=after, limit=20_000
        )
        page = client.call(contract.read_label_columns, request)
        found.update(zip(page.request_ids, page.values, strict=True))
        after = page.next
    return found


def labelled_rows(
    client: FileClient,
    deployment: Deployment,
    signature: Signature,
    since: dt.datetime,
    until: dt.datetime,
) -> pa.Table:
    """Inputs, label, event time and request id of what was predicted in a stretch of event time.

    Only labels that were known by its end count: the future teaches nobody.
    """
    log = Path(deployment.log_folder) if deployment.log_folder else Path("/nonexistent")
    inputs = [column.name for column in signature.inputs]
    wanted = ["request_id", "event_time", *(f"input.{name}" for name in inputs)]
    rows = read_predictions(log, since, until, wanted)
    known = labels_between(client, deployment.name, since, until)
    label = pa.array([known.get(one) for one in rows["request_id"].to_pylist()], pa.float64())
    columns = {name: rows[f"input.{name}"] for name in inputs} if rows.num_rows else {}
    table = pa.table(
        {
            **columns,
            "label": label,
            "event_time": rows["event_time"],
            "request_id": rows["request_id"],
        }
    )
    return table.filter(pa.compute.is_valid(table["label"]))
