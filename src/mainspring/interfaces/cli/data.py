"""`mainspring data show`, `diff`, `digest`: what data there is, what changed, what is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mainspring.core.clock import utc_now
from mainspring.core.extras import require
from mainspring.interfaces.cli import output
from mainspring.interfaces.cli.cells import printable, short, shortened_id
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.figures import ago, figure
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.requests import build
from mainspring.tracking import dataset_contract as contract
from mainspring.tracking.dataset_contract import (
    DatasetDetail,
    DatasetDifference,
    DatasetSide,
)

FACTS = ("name", "type", "count", "missing", "distinct", "min", "mean", "max", "std")
"""What piped lines tell of a column; `--json` tells all."""
VALUES_WIDTH = 40
REFERENCE = "NAME is its newest version; NAME@DIGEST, or 8 characters of a digest, name one."


@click.command(cls=Command, epilog=REFERENCE)
@click.argument("dataset", metavar="DATASET")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="How many runs and models at most.",
)
def show(dataset: str, limit: int) -> None:
    """Show a dataset: its columns, the runs that used it, their models."""
    request = build(contract.show_dataset, {"dataset": dataset, "limit": limit})
    with connected() as connection:
        found = connection.client.call(contract.show_dataset, request)
    if chosen().as_json:
        output.show_json(found)
    elif chosen().quiet:
        click.echo(found.digest)
    elif output.on_terminal():
        _tell(found)
    else:
        rows = [[column.get(fact) for fact in FACTS] for column in found.columns]
        output.show_cells(FACTS, rows)


def _tell(found: DatasetDetail) -> None:
    click.echo("".join(f"{line}\n" for line in _head(found)), nl=False)
    now = utc_now()
    columns = [_column_cells(column) for column in found.columns]
    _section("columns", ("name", "type", "missing", "distinct", "values"), columns)
    uses = [
        [
            one.run[:8], printable(one.run_name) or "-", printable(one.experiment), one.status,
            one.role or "-", printable(one.split) or "-", ago(one.opened_at, now),
        ]
        for one in found.runs
    ]  # fmt: skip
    _section("runs", ("id", "name", "experiment", "status", "role", "split", "opened"), uses)
    models = [
        [one.id[:8], printable(one.name), one.run[:8], one.engine or "-", short(one.digest)]
        for one in found.models
    ]
    _section("models", ("id", "name", "run", "engine", "digest"), models)
    told = len({one.run for one in found.runs})
    if found.run_count > told:
        note(f"{told} of {found.run_count:,} runs; more: --limit N")


def _section(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        click.echo(f"\n{title} ({len(rows):,})")
        output.show_table(heads, rows)


def _head(found: DatasetDetail) -> Iterator[str]:
    others = [name for name in found.names if name != found.name]
    yield f"name: {printable(found.name)}"
    if others:
        yield f"also called: {printable(', '.join(others))}"
    yield f"digest: {printable(found.digest)}"
    yield f"rows: {'-' if found.rows is None else f'{found.rows:,}'}"
    yield f"source: {printable(' '.join(filter(None, (found.source_type, found.source)))) or '-'}"
    yield f"roles: {', '.join(map(printable, found.roles)) or '-'}"
    yield f"splits: {', '.join(map(printable, found.splits)) or '-'}"
    yield f"stored rows: {short(found.file)}"
    yield f"recorded: {ago(found.recorded_at, utc_now())}"
    yield f"used by: {found.run_count:,} {'run' if found.run_count == 1 else 'runs'}"


def _column_cells(column: Mapping[str, Any]) -> list[str]:
    seen = column.get("count", 0) or 0
    missing = column.get("missing") or 0
    share = f" ({100 * missing / (seen + missing):.2g} %)" if missing and "count" in column else ""
    bound = "≥ " if column.get("sample") and column.get("distinct") is not None else ""
    values = printable(_values(column))
    return [
        printable(str(column.get("name", ""))),
        printable(str(column.get("type", ""))),
        f"{figure(missing)}{share}" if "missing" in column else "-",
        f"{bound}{column['distinct']:,}" if isinstance(column.get("distinct"), int) else "-",
        values if len(values) <= VALUES_WIDTH else values[: VALUES_WIDTH - 1] + "…",
    ]


def _values(column: Mapping[str, Any]) -> str:
    """What the values of a column are like, in a few words."""
    if column.get("top"):
        return ", ".join(f"{one['value']} ({one['count']:,})" for one in column["top"])
    if isinstance(column.get("mean"), int | float):
        mean, deviation = figure(column["mean"]), column.get("std")
        spread = f" ± {figure(deviation)}" if deviation is not None else ""
        return f"{_plain(column['min'])} … {_plain(column['max'])}, mean {mean}{spread}"
    if column.get("min") is not None:
        return f"{_plain(column['min'])} … {_plain(column['max'])}"
    if "true" in column:
        return f"true ({column['true']:,})"
    length = column.get("length") or {}
    if length.get("min") is not None:
        return f"{length['min']} … {length['max']} long"
    return "-"


def _plain(value: Any) -> str:
    return figure(value) if isinstance(value, int | float) else str(value)


@click.command(cls=Command, epilog=REFERENCE)
@click.argument("left", metavar="LEFT")
@click.argument("right", metavar="RIGHT")
def diff(left: str, right: str) -> None:
    """Compare two datasets: rows, columns, types, summaries."""
    request = build(contract.compare_datasets, {"left": left, "right": right})
    with connected() as connection:
        found = connection.client.call(contract.compare_datasets, request)
    if chosen().as_json:
        output.show_json(found)
        return
    note(f"left:  {_side(found.left)}")
    note(f"right: {_side(found.right)}")
    lines = list(_lines(found))
    if output.on_terminal():
        if lines:
            shown = [[printable(_cell(cell)) for cell in line] for line in lines]
            output.show_table(("column", "what", "left", "right"), shown)
    else:
        output.show_cells(("column", "what", "left", "right"), lines)
    if found.same:
        note("the same data")
    elif not lines:
        note("other data of the same schema and the same summary")


def _side(side: DatasetSide) -> str:
    rows = "rows not counted" if side.rows is None else f"{side.rows:,} rows"
    return f"{printable(side.name)}@{shortened_id(side.digest)}  {rows}, {side.columns:,} columns"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_cell(one) for one in value)
    return "-" if value is None else _plain(value)


def _lines(found: DatasetDifference) -> Iterator[list[Any]]:
    """A line for each thing that differs; the table as a whole has no column name."""
    if found.left.rows != found.right.rows:
        yield ["", "rows", found.left.rows, found.right.rows]
    yield from ([name, "column", None, "added"] for name in found.added)
    yield from ([name, "column", "removed", None] for name in found.removed)
    if found.reordered:
        yield ["", "order of columns", None, "other"]
    for column in found.changed:
        yield from ([column.name, fact, *pair] for fact, pair in column.facts.items())


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path, exists=True), metavar="PATH")
@click.option("--any-order", is_flag=True, help="Let the order of the rows not matter.")
@click.option("--bytes", "as_bytes", is_flag=True, help="Of the bytes, also if there is a table.")
def digest(path: Path, any_order: bool, as_bytes: bool) -> None:  # noqa: FBT001
    """Tell the digest of a file or folder here, as a run would record it.

    It needs no server; docs/dataset.md says how it is made.
    """
    reading = require("mainspring.datasets.reading", "loop")
    found = reading.describe(path, ordered=not any_order, as_bytes=as_bytes)
    if chosen().as_json:
        names = ("digest", "rows", "source_type", "source", "ordered", "columns")
        output.show_json({name: getattr(found, name) for name in names})
        return
    click.echo(found.digest)
    rows = "" if found.rows is None else f": {found.rows:,} rows, {len(found.columns):,} columns"
    note(f"{found.source_type}{rows}")
