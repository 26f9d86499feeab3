"""`mainspring runs export`: whole runs as JSON, their values as CSV or Parquet, their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import Conflict, Corrupt, Invalid
from mainspring.core.operation import Client, FileClient
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.output import show_json
from mainspring.interfaces.cli.runs_list import STATUSES, Asked
from mainspring.interfaces.cli.runs_written import WRITERS, Writer
from mainspring.interfaces.cli.target import target
from mainspring.interfaces.sdk.runs import Runs
from mainspring.interfaces.sdk.runs_named import runs_named
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun, Run

FORMATS = list(WRITERS)


@click.command(cls=Command)
@click.argument("runs", metavar="[RUN...]", nargs=-1)
@click.option(
    "-o",
    "--output",
    "place",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Where to write.  [default: standard output]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="json: all of a run; csv, parquet: run,key,step,at,value.  [default: by the file's name]",
)
@click.option("--artifacts", is_flag=True, help="Also the runs' files, in DIR/artifacts/RUN/.")
@click.option("--filter", "filter_text", default="", metavar="TEXT", help="All runs that fit.")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME|ID", help="All of these.")
@click.option("--status", type=click.Choice(STATUSES), help="All in this state.")
def export(runs: Sequence[str], place: Path | None, artifacts: bool, **asked: Any) -> None:  # noqa: FBT001
    """Write runs with all their values into files.

    Numbers that JSON cannot say are the texts NaN, Infinity and -Infinity.
    """
    form = asked.pop("form") or _form(place)
    searched = any(asked.values())
    if bool(runs) == searched:
        raise Invalid(
            "name the runs, or say which fit", field="runs",
            fix="mainspring runs export RUN...; or --filter, --experiment, --status",
        )  # fmt: skip
    file = _file(place, form, artifacts=artifacts)
    with connected() as connection:
        client: Any = connection.client
        if searched:
            ids = [run.id for run in iter(Runs(client, Asked(**asked).search(client)))]
        else:
            ids = runs_named(client, runs)
        count = _written(client, ids, file, form)
        if artifacts and place is not None:
            count += _downloaded(client, ids, place)
    if file is not None:
        _tell(file, ids, count)


def _form(place: Path | None) -> str:
    suffix = place.suffix.lstrip(".").lower() if place and not place.is_dir() else ""
    if suffix and suffix not in FORMATS:
        raise Invalid(
            f"{place} has the ending of no format: {', '.join(FORMATS)}", field="output",
            fix="--format says which is meant",
        )  # fmt: skip
    return suffix or "json"


def _file(place: Path | None, form: str, *, artifacts: bool) -> Path | None:
    """The file that the runs go into; None for standard output."""
    if place is None:
        if artifacts or form == "parquet":
            what = "files of runs are" if artifacts else "Parquet is"
            raise Invalid(f"{what} not written to standard output", field="output", fix="-o PLACE")
        return None
    if artifacts or place.is_dir() or (not place.suffix and not place.exists()):
        if place.exists() and not place.is_dir():
            raise Conflict(
                f"{place} is a file, and a folder is wanted", field="output", fix="-o DIR"
            )
        return place / f"runs.{form}"
    return place


def _written(client: Client, ids: Sequence[str], file: Path | None, form: str) -> int:
    with target(file) as opened:
        writer: Writer = WRITERS[form](opened)
        for public_id in ids:
            writer.run(client, client.call(contract.show_run, NameRun(run=public_id)))
        writer.close()
    return 1


def _downloaded(client: Any, ids: Sequence[str], folder: Path) -> int:
    count = 0
    for public_id in ids:
        run = client.call(contract.show_run, NameRun(run=public_id))
        count += _files(client, run, folder / "artifacts" / public_id)
    return count


def _files(client: FileClient, run: Run, folder: Path) -> int:
    """The files of the run, and of the models that it trained below `models/`."""
    named = [(file.path, file) for file in run.artifacts]
    for model in run.models:
        named += [(f"models/{model.id}/{file.path}", file) for file in model.files]
    for path, file in named:
        place = folder / path
        if not place.resolve().is_relative_to(folder.resolve()):
            raise Corrupt(f"{path!r} of run {run.id} leads out of its folder", field="artifacts")
        with target(place) as stream:
            for piece in client.download(file.digest):
                stream.write(piece)
    return len(named)


def _tell(file: Path, ids: Sequence[str], count: int) -> None:
    if chosen().as_json:
        show_json({"file": str(file), "runs": ids, "files": count})
    elif chosen().quiet:
        click.echo(str(file))
    else:
        files = f", {count} files in all" if count > 1 else ""
        note(f"{len(ids)} run{'' if len(ids) == 1 else 's'} in {file}{files}")
