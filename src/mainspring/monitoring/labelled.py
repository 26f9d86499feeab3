"""Predictions whose truth is known: the log joined with the labels, and how many of all they are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mainspring.core.operation import FileClient
from mainspring.core.signature import Signature
from mainspring.deployment.contract import Deployment
from mainspring.monitoring import label_contract as contract
from mainspring.monitoring.coverage import HOUR, NOWHERE, coverage_of
from mainspring.monitoring.joining import (
    EARLY,
    NAMES,
    Truth,
    all_labels,
    by_entity,
    resolve,
    truth_of,
)
from mainspring.monitoring.label_contract import Coverage, LabelRule, NameLabelRule, ReadLabels
from mainspring.monitoring.prediction_log import read_predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The labels of a deployment as they were known, and how they find their predictions."""

    labels: pa.Table
    rule: LabelRule

    def predictions(
        self, log: Path, since: dt.datetime, until: dt.datetime, columns: list[str]
    ) -> tuple[pa.Table, Truth]:
        """The predictions of a stretch of event time, and the truth of each."""
        horizon = self.rule.horizon_hours * HOUR
        # A later prediction of an entity may be the one that a label is about.
        end = until + horizon if by_entity(self.labels) else until
        rows = read_predictions(log, since, end, list(dict.fromkeys([*NAMES, *columns])))
        truth = truth_of(rows.num_rows, resolve(rows, self.labels, horizon), self.labels)
        inside = pa.compute.less(rows["event_time"], pa.scalar(until, rows["event_time"].type))
        return rows.filter(inside), truth.where(inside.to_numpy())

    def coverage(self, rows: pa.Table, truth: Truth, at: dt.datetime) -> Coverage:
        """How many of these predictions have a label at a moment."""
        times = rows["event_time"].cast(pa.int64()).to_numpy()
        return coverage_of(times, truth.known_at, at, self.rule.deadline_hours * HOUR)


def labels_known(client: FileClient, wanted: ReadLabels) -> Known:
    """The labels of the filters, which `known_from` lets begin at the earliest prediction."""
    earliest = wanted.known_from
    request = ReadLabels(
        deployment=wanted.deployment,
        known_from=earliest - EARLY if earliest is not None else None,
        known_until=wanted.known_until,
        as_known_at=wanted.as_known_at,
        recorded_after=wanted.recorded_after,
    )
    labels = all_labels(lambda page: client.call(contract.read_label_columns, page), request)
    rule = client.call(contract.show_label_rule, NameLabelRule(deployment=wanted.deployment))
    return Known(labels=labels, rule=rule)


def labelled_rows(
    client: FileClient,
    deployment: Deployment,
    signature: Signature,
    since: dt.datetime,
    until: dt.datetime,
) -> tuple[pa.Table, Coverage]:
    """Inputs, label, event time and request id of what was predicted in a stretch of event time.

    Only labels that were known by its end count: the future teaches nobody. Beside the rows, of how
    many predictions they are.
    """
    log = Path(deployment.log_folder) if deployment.log_folder else NOWHERE
    inputs = [column.name for column in signature.inputs]
    wanted = ReadLabels(deployment=deployment.name, known_from=since, known_until=until)
    known = labels_known(client, wanted)
    rows, truth = known.predictions(log, since, until, [f"input.{name}" for name in inputs])
    columns = {name: rows[f"input.{name}"] for name in inputs} if rows.num_rows else {}
    table = pa.table(
        {
            **columns,
            "label": pa.array(truth.value, from_pandas=True),
            "event_time": rows["event_time"],
            "request_id": rows["request_id"],
        }
    )
    labelled = table.filter(pa.compute.is_valid(table["label"]))
    return labelled, known.coverage(rows, truth, until)
