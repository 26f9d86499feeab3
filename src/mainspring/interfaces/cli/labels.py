"""`mainspring labels record`: labels from a file, or from the command line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import Invalid
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, note
from mainspring.interfaces.cli.output import show
from mainspring.interfaces.cli.parameters import Document, Moment
from mainspring.interfaces.cli.requests import build
from mainspring.monitoring import label_contract as contract
from mainspring.monitoring.label_contract import RecordedLabels
from mainspring.monitoring.label_delivery import record as deliver
from mainspring.monitoring.label_files import labels_in


@click.command(cls=Command)
@click.argument("deployment", metavar="DEPLOYMENT")
@click.option(
    "-f",
    "--file",
    "source",
    type=click.Path(path_type=Path),
    help="CSV, JSON lines or Parquet (.csv, .jsonl, .parquet) with the columns request_id, or "
    "entity_key and about; value; event_time.",
)
@click.option("--labels", type=Document(), metavar="JSON|@FILE", help="A list of labels.")
@click.option(
    "--event-time",
    type=Moment(),
    help="When the rows of the file became known that do not say so themselves.",
)
def record(
    deployment: str, source: Path | None, labels: Any, event_time: dt.datetime | None
) -> None:
    """Record what turned out to be true, by request id or by entity and time.

    Again is harmless: labels that are known have no effect. Another value for the same prediction
    is a correction, and the newest counts.
    """
    if (source is None) == (labels is None):
        raise Invalid(
            "found both --file and --labels" if source else "found no labels",
            fix="give either --file or --labels",
        )
    with connected() as connection:
        if source is None:
            request = build(contract.record_labels, {"deployment": deployment, "labels": labels})
            found: RecordedLabels = connection.client.call(contract.record_labels, request)
        else:
            found = deliver(connection.client, deployment, labels_in(source, event_time))
    show(contract.record_labels, found)
    note(f"how many found their prediction: mainspring labels coverage {deployment} --since ...")
