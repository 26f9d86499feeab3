"""Measure the days that ended: drift of inputs and of predictions, realised performance."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.core.clock import MICROSECOND, from_micros
from mainspring.core.event import Event
from mainspring.core.operation import FileClient
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import Deployment, NameDeployment
from mainspring.monitoring import contract
from mainspring.monitoring.contract import ListOfDeployment, RecordWindow
from mainspring.monitoring.drift import column_drift, summary
from mainspring.monitoring.labelled import labels_between
from mainspring.monitoring.performance import realised
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.monitoring.reference import SCORE, Reference, reference_of
from mainspring.serving.compaction import seal_journals

DAY = dt.timedelta(days=1)
DAY_MICROS = DAY // MICROSECOND


@dataclass(frozen=True, slots=True)
class _Due:
    """What was asked for: which days, and how they are cut and judged."""

    until: dt.datetime
    last: dt.datetime
    day_starts_at: dt.timedelta
    performance_days: int


def measure_windows(client: FileClient, event: Event) -> None:
    """Measure every day that has ended and is not measured yet, in order."""
    deployment = client.call(deployments.show, NameDeployment(deployment=event.subject))
    if deployment.log_folder is None:
        return
    log = Path(deployment.log_folder)
    seal_journals(log)
    until = dt.datetime.fromisoformat(event.facts["until"])
    due = _Due(
        until=until,
        last=until - dt.timedelta(hours=event.facts["label_delay_hours"]),
        day_starts_at=dt.timedelta(hours=event.facts["day_starts_at_hour"]),
        performance_days=event.facts["performance_days"],
    )
    for day in _open_days(client, deployment, log, due):
        rows = read_predictions(log, day, day + DAY)
        _measure(client, deployment, rows, (day, due))


def _open_days(
    client: FileClient, deployment: Deployment, log: Path, due: _Due
) -> list[dt.datetime]:
    """The starts of the days that have traffic, have ended, and are not measured yet."""
    request = ListOfDeployment(deployment=deployment.name, limit=1)
    measured = client.call(contract.list_windows, request)
    since = measured[0].ends_at if measured else None
    times = read_predictions(log, since, due.last, ["event_time"])["event_time"]
    micros = times.cast(pa.int64()).to_numpy() - due.day_starts_at // MICROSECOND
    starts = np.unique(micros // DAY_MICROS) * DAY_MICROS
    days = [from_micros(int(start)) + due.day_starts_at for start in starts]
    return [day for day in days if day + DAY <= due.last]


def _measure(
    client: FileClient,
    deployment: Deployment,
    rows: pa.Table,
    place: tuple[dt.datetime, _Due],
) -> None:
    day, due = place
    number = int(Counter(rows["version"].to_pylist()).most_common(1)[0][0])
    micros = due.day_starts_at // dt.timedelta(microseconds=1)
    reference = reference_of(client, deployment.model, number, micros)
    since = day - (due.performance_days - 1) * DAY
    labels = labels_between(client, deployment.name, since, due.until)
    truth, score = _scored(rows, reference, labels)
    measurements = {
        "data_drift": _data_drift(reference, rows),
        "prediction_drift": _prediction_drift(reference, score),
        "performance_of_day": _performance(reference, truth, score),
        "performance": _performance(
            reference, *_trailing(deployment, reference, labels, (since, day + DAY))
        ),
    }
    request = RecordWindow(
        deployment=deployment.name,
        starts_at=day,
        ends_at=day + DAY,
        version=number,
        rows=rows.num_rows,
        labels=int(np.isfinite(truth).sum()),
        measurements=measurements,
    )
    client.call(contract.record_window, request)


def _scored(
    rows: pa.Table, reference: Reference, labels: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    truth = np.array([labels.get(one, np.nan) for one in rows["request_id"].to_pylist()])
    return truth, rows[f"output.{reference.output}"].to_numpy()


def _trailing(
    deployment: Deployment,
    reference: Reference,
    labels: dict[str, float],
    span: tuple[dt.datetime, dt.datetime],
) -> tuple[np.ndarray, np.ndarray]:
    """Truth and score of the last days, of what this version itself predicted."""
    assert deployment.log_folder is not None
    columns = ["request_id", "version", f"output.{reference.output}"]
    rows = read_predictions(Path(deployment.log_folder), *span, columns)
    mine = pa.compute.equal(rows["version"], str(reference.version.version))
    return _scored(rows.filter(mine), reference, labels)


def _data_drift(reference: Reference, rows: pa.Table) -> dict[str, Any]:
    window = {name: rows[f"input.{name}"].to_numpy() for name in reference.inputs}
    drifts = column_drift(reference.profile, window)
    found = asdict(summary(drifts))
    names = found.pop("drifted_columns")
    details = {drift.name: {"psi": drift.psi, "limit": drift.limit} for drift in drifts}
    return {**found, "drifted": names, "drifted_columns": len(names), "details": details}


def _prediction_drift(reference: Reference, score: np.ndarray) -> dict[str, Any]:
    drift = column_drift(reference.scores, {SCORE: score})[0]
    return {"psi": drift.psi, "limit": drift.limit, "score": drift.psi / drift.limit}


def _performance(reference: Reference, truth: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    binary = reference.version.task == "binary"
    found = realised(truth, score, "binary" if binary else "regression")
    said: dict[str, Any] = {
        "predictions": found.predictions,
        "labelled": found.labelled,
        "label_mean": found.label_mean,
        "score_mean": found.score_mean,
        "reason": found.lack,
    }
    for name, estimate in found.estimates.items():
        said[name] = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    if reference.holdout_auc is not None and "auc" in said:
        auc, expected = said["auc"], reference.holdout_auc
        said["auc_drop"] = {
            "value": expected - auc["value"],
            "low": expected - auc["high"],
            "high": expected - auc["low"],
        }
    return said
