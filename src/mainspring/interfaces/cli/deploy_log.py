"""`mainspring deploy log`: the recorded predictions of a deployment, or of a folder, as one file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import click

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.extras import require
from mainspring.deployment.contract import NameDeployment
from mainspring.deployment.contract import show as show_deployment
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.output import show_json
from mainspring.interfaces.cli.parameters import Moment
from mainspring.interfaces.cli.requests import build
from mainspring.interfaces.cli.target import target

FORMATS = (".csv", ".parquet")


@click.command(cls=Command)
@click.argument("source", metavar="DEPLOYMENT|FOLDER")
@click.option(
    "-o",
    "--output",
    "place",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="CSV, or Parquet if it ends in .parquet.  [default: CSV on standard output]",
)
@click.option("--since", type=Moment(), help="Rows whose event time is this or later.")
@click.option("--until", type=Moment(), help="Rows whose event time is earlier.")
@click.option("--model", metavar="NAME", help="Rows of this model only.")
@click.option("--columns", multiple=True, metavar="NAME", help="These columns only.")
def log(
    source: str, place: Path | None, columns: Sequence[str], model: str | None, **window: Any
) -> None:
    """Write the predictions that were recorded, each request once, by event time.

    A folder is the log's, on this machine; a deployment is asked where its own is.
    """
    suffix = ".csv" if place is None else place.suffix.lower()
    if suffix not in FORMATS:
        raise Invalid(
            f"{place} has the ending of no format: {', '.join(FORMATS)}", field="output",
            fix="name the file .csv or .parquet",
        )  # fmt: skip
    table = _read(_folder(source), window["since"], window["until"], columns, model)
    with target(place) as opened:
        _write(table, opened, suffix)
    if chosen().as_json and place is not None:
        show_json({"file": str(place), "rows": table.num_rows})
    else:
        note(f"{table.num_rows} rows{f' in {place}' if place else ''}")


def _folder(source: str) -> Path:
    if "/" in source or Path(source).is_dir():
        folder = Path(source)
        if not folder.is_dir():
            raise NotFound(f"there is no folder {source}")
        return folder
    with connected() as connection:
        named: NameDeployment = build(show_deployment, {"deployment": source})
        found = connection.client.call(show_deployment, named)
    if found.log_folder is None:
        raise Conflict(
            f"deployment {source!r} is {found.state}, and tells no log",
            fix="name the folder of the log",
        )
    folder = Path(found.log_folder)
    if not folder.is_dir():
        raise NotFound(
            f"the log of {source!r} is {folder}, and there is none here",
            fix="run this on the machine of the deployment",
        )
    return folder


def _read(
    folder: Path,
    since: dt.datetime | None,
    until: dt.datetime | None,
    columns: Sequence[str],
    model: str | None,
) -> Any:
    reading = require("mainspring.monitoring.prediction_log", "loop")
    return reading.read_predictions(folder, since, until, [*columns] or None, model=model)


def _write(table: Any, opened: IO[bytes], suffix: str) -> None:
    if suffix == ".parquet":
        require("pyarrow.parquet", "loop").write_table(table, opened, compression="zstd")
        return
    arrow = require("pyarrow", "loop")
    for place, field in enumerate(table.schema):
        if arrow.types.is_list(field.type):
            # CSV has no lists.
            texts = [
                None if row is None else json.dumps(row) for row in table[field.name].to_pylist()
            ]
            table = table.set_column(place, field.name, arrow.array(texts, arrow.string()))
    require("pyarrow.csv", "loop").write_csv(table, opened)
