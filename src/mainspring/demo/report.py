"""What the year came to: every number is computed here from the log, the labels and the events."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mainspring.core.errors import Unavailable
from mainspring.core.operation import FileClient
from mainspring.datasets.inputs import to_inputs
from mainspring.demo.flights import FEATURES, NIGHT_MICROS, Flights
from mainspring.demo.setting import MODEL, Setting
from mainspring.demo.traffic import Tally
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment
from mainspring.engines.engine import load_model
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring.contract import Alert, ListAlerts, ListOfDeployment, Window
from mainspring.monitoring.label_contract import CountLabels, ReadLabels, count_labels
from mainspring.monitoring.labelled import labels_known
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.registry import contract as registry
from mainspring.registry.contract import ListVersions, NameVersion
from mainspring.registry.record import Lineage
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import ListRetrainings, Retraining
from mainspring.tracking.files import fetched_folder
from mainspring.validation.statistics import auc

PAGE = 1000


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """One month of the table."""

    month: str
    flights: int
    late_share: float
    drift_share: float
    """The mean share of columns that had drifted on a day."""
    prediction_drift_days: int
    auc_retrained: float | None
    auc_frozen: float | None
    versions: list[int]
    alerts: int
    retrainings: int
    lead_time_s: float | None
    """From the alert to the new version in production, the mean of the month."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole result; `mainspring demo --json` prints it."""

    months: list[Month]
    predictions: int
    labels_joined: int
    versions: int
    alerts: int
    retrainings: int
    lost: int
    auc_frozen: float
    auc_retrained: float
    seconds: float
    flights: int
    """How many there are in the data for the days played: predictions and labels must equal it."""
    never_arrived: int
    requests: int
    retries: int
    lineage: Lineage


class _Scored:
    """Every prediction of the year with its truth, as served and as the first model sees it."""

    def __init__(self, setting: Setting, flights: Flights, log: Path) -> None:
        client = setting.author.files
        rows = read_predictions(log, None, None)
        labels = labels_known(client, ReadLabels(deployment=MODEL)).labels
        pairs = (labels[name].to_pylist() for name in ("request_id", "value"))
        self.truth_of = dict(zip(*pairs, strict=True))
        ids = rows["request_id"].to_pylist()
        self.ids = set(ids)
        self.truth = np.array([self.truth_of.get(one, np.nan) for one in ids])
        output = setting.first.signature.outputs[0].name
        self.served = rows[f"output.{output}"].to_numpy()
        self.version = np.array([int(one) for one in rows["version"].to_pylist()])
        self.frozen = self._frozen(client, setting, rows)
        month_of = dict(zip(flights.request_id, flights.month.tolist(), strict=True))
        self.month = np.array([month_of[one] for one in ids])

    def _frozen(self, client: FileClient, setting: Setting, rows: Any) -> np.ndarray:
        first = setting.first
        model = load_model(fetched_folder(client, first.own_digest(), first.files))
        table = rows.rename_columns([name.removeprefix("input.") for name in rows.column_names])
        output = first.signature.outputs[0].name
        return np.asarray(model.predict(to_inputs(table, list(FEATURES)))[output]).reshape(-1)

    def auc(self, score: np.ndarray, chosen: np.ndarray) -> float | None:
        """The AUC of a score on the chosen rows that have a truth; None if one class is missing."""
        known = chosen & np.isfinite(self.truth)
        if len(np.unique(self.truth[known])) < 2:
            return None
        return auc(self.truth[known], score[known])


def report(
    setting: Setting, flights: Flights, chosen: np.ndarray, tally: Tally, seconds: float
) -> Report:
    """Compute the result from what is stored."""
    author = setting.author
    place = author.call(deployments.show, NameDeployment(deployment=MODEL))
    if place.log_folder is None:
        raise Unavailable(f"deployment {MODEL!r} has no prediction log")
    scored = _Scored(setting, flights, Path(place.log_folder))
    months = sorted(np.unique(flights.month[chosen]).tolist())
    wanted = {flights.request_id[index] for index in np.flatnonzero(chosen)}
    everything = np.ones(len(scored.truth), dtype=bool)
    alerts = author.call(monitoring.list_alerts, ListAlerts(deployment=MODEL, limit=PAGE))
    windows = author.call(monitoring.list_windows, ListOfDeployment(deployment=MODEL, limit=PAGE))
    again = author.call(retraining.list_retrainings, ListRetrainings(model=MODEL, limit=PAGE))
    facts = _Facts(alerts, windows, again)
    versions = author.call(registry.list_versions, ListVersions(model=MODEL, limit=PAGE))
    production = next(one.version for one in versions if one.stage == "production")
    labels = author.call(count_labels, CountLabels(deployment=MODEL)).count
    lost = len(wanted - scored.ids) + len(wanted - scored.truth_of.keys())
    doubled = max(0, len(scored.truth) - len(scored.ids)) + max(0, labels - len(wanted))
    return Report(
        months=[_month(number, flights, chosen, scored, facts) for number in months],
        predictions=len(scored.truth),
        labels_joined=int(np.isfinite(scored.truth).sum()),
        versions=len(versions),
        alerts=len(alerts),
        retrainings=len(again),
        lost=lost + doubled,
        auc_frozen=scored.auc(scored.frozen, everything) or float("nan"),
        auc_retrained=scored.auc(scored.served, everything) or float("nan"),
        seconds=round(seconds, 2),
        flights=len(wanted),
        never_arrived=int(np.count_nonzero(chosen & ~flights.arrived)),
        requests=tally.requests,
        retries=tally.retries,
        lineage=author.call(registry.show_lineage, NameVersion(model=MODEL, version=production)),
    )


class _Facts:
    """Alerts, windows and retrainings by the local month that they belong to."""

    def __init__(self, alerts: list[Alert], windows: list[Window], again: list[Retraining]) -> None:
        self.alerts = [_local_month(alert.event_time) for alert in alerts]
        self.windows = [(_local_month(window.starts_at), window) for window in windows]
        self.retrainings = [(_local_month(one.event_time), one) for one in again]

    def lead_time_s(self, month: int) -> float | None:
        """Alert to production, by the server's clock."""
        spans = [
            (one.finished_at - one.alert_at).total_seconds()
            for at, one in self.retrainings
            if at == month and one.state == "done" and one.finished_at and one.alert_at
        ]
        return round(sum(spans) / len(spans), 2) if spans else None


def _local_month(at: dt.datetime) -> int:
    return (at - dt.timedelta(microseconds=NIGHT_MICROS + 1)).month


def _month(
    number: int, flights: Flights, chosen: np.ndarray, scored: _Scored, facts: _Facts
) -> Month:
    mine, rows = chosen & (flights.month == number), scored.month == number
    days = [window for month, window in facts.windows if month == number]
    shares = [day.measurements["data_drift"]["share"] for day in days]
    moved = [day.measurements["prediction_drift"]["score"] > 1 for day in days]
    served, frozen = scored.auc(scored.served, rows), scored.auc(scored.frozen, rows)
    return Month(
        month=f"2013-{number:02d}",
        flights=int(mine.sum()),
        late_share=round(float(flights.late[mine].mean()), 4),
        drift_share=round(float(np.mean(shares)), 4) if shares else 0.0,
        prediction_drift_days=sum(moved),
        auc_retrained=None if served is None else round(served, 4),
        auc_frozen=None if frozen is None else round(frozen, 4),
        versions=sorted({int(one) for one in np.unique(scored.version[rows])}),
        alerts=facts.alerts.count(number),
        retrainings=[month for month, _ in facts.retrainings].count(number),
        lead_time_s=facts.lead_time_s(number),
    )
