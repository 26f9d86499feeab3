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
from mainspring.monitoring.judgement import Judge
from mainspring.monitoring.label_contract import ReadLabels
from mainspring.monitoring.labelled import labels_known
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.monitoring.reference import SCORE, Reference, reference_of
from mainspring.monitoring.revision import revise_windows
from mainspring.serving.compaction import CompactionLimits, compact

DAY = dt.timedelta(days=1)
DAY_MICROS = DAY // MICROSECOND


@dataclass(frozen=True, slots=True)
class _Due:
    """What was asked for: which days, and how they are cut and judged."""

    until: dt.datetime
    last: dt.datetime
    day_starts_at: dt.timedelta
    performance_days: int
    asked_at: dt.datetime
    """By the server's clock: labels count as they were known then, also if this is done again."""

    @property
    def day_starts_at_micros(self) -> int:
        """How late a day starts, in microseconds."""
        return self.day_starts_at // MICROSECOND


def measure_windows(client: FileClient, event: Event) -> None:
    """Measure every day that has ended and is not measured yet, in order."""
    deployment = client.call(deployments.show, NameDeployment(deployment=event.subject))
    if deployment.log_folder is None:
        return
    log = Path(deployment.log_folder)
    compact(log, CompactionLimits())
    until = dt.datetime.fromisoformat(event.facts["until"])
    due = _Due(
        until=until,
        last=until - dt.timedelta(hours=event.facts["label_delay_hours"]),
        day_starts_at=dt.timedelta(hours=event.facts["day_starts_at_hour"]),
        performance_days=event.facts["performance_days"],
        asked_at=event.recorded_at,
    )
    revise_windows(client, deployment, due.asked_at, due.until, due.day_starts_at_micros)
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
    micros = times.cast(pa.int64()).to_numpy() - due.day_starts_at_micros
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
    reference = reference_of(client, deployment.model, number, due.day_starts_at_micros)
    since = day - (due.performance_days - 1) * DAY
    wanted = ReadLabels(
        deployment=deployment.name,
        known_from=since,
        known_until=due.until,
        as_known_at=due.asked_at,
    )
    assert deployment.log_folder is not None
    judge = Judge(Path(deployment.log_folder), labels_known(client, wanted), due.until)
    of_day = judge.all(reference, (day, day + DAY))
    measurements = {
        "data_drift": _data_drift(reference, rows, _unkept(deployment)),
        "prediction_drift": _prediction_drift(reference, rows),
        "performance_of_day": of_day,
        "performance": judge.own(reference, (since, day + DAY)),
    }
    request = RecordWindow(
        deployment=deployment.name,
        starts_at=day,
        ends_at=day + DAY,
        version=number,
        rows=rows.num_rows,
        labels=of_day["labelled"],
        labels_known_at=due.asked_at,
        measurements=measurements,
    )
    client.call(contract.record_window, request)


def _unkept(deployment: Deployment) -> list[str]:
    return [*deployment.serving.log_redact, *deployment.serving.log_hash]


def _data_drift(reference: Reference, rows: pa.Table, unkept: list[str]) -> dict[str, Any]:
    """Of what the log keeps as it was: a hash has another distribution than its value."""
    kept = [name for name in reference.inputs if name not in unkept]
    window = {name: rows[f"input.{name}"].to_numpy() for name in kept}
    drifts = column_drift(reference.profile, window)
    found = asdict(summary(drifts))
    names = found.pop("drifted_columns")
    details = {drift.name: {"psi": drift.psi, "limit": drift.limit} for drift in drifts}
    return {**found, "drifted": names, "drifted_columns": len(names), "details": details}


def _prediction_drift(reference: Reference, rows: pa.Table) -> dict[str, Any]:
    score = rows[f"output.{reference.output}"].to_numpy()
    drift = column_drift(reference.scores, {SCORE: score})[0]
    return {"psi": drift.psi, "limit": drift.limit, "score": drift.psi / drift.limit}
