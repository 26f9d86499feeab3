"""`mainspring runs show`: one run with all that it recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from mainspring.core.clock import utc_now
from mainspring.core.operation import Client, FileClient
from mainspring.interfaces.cli import output, printed
from mainspring.interfaces.cli.cells import breadth, fitting, leaves, printable, short, shortened_id
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.figures import ago, figure, size_of, span
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.runs_table import SYSTEM
from mainspring.interfaces.sdk.runs_named import run_named
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import NameRun, Run, to_number
from mainspring.tracking.search_contract import FoundRun, SearchRuns

NOTE = "note"
"""The tag that holds what people say of the run."""
CHILDREN = 20
FILES = 20
OURS = ("code/", "console/")
"""Where files are that no script kept itself."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beyond the usual."""

    packages: bool
    logs: bool


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.option("--packages", is_flag=True, help="Name every package of the environment.")
@click.option("--logs", is_flag=True, help="Also show the end of what it printed.")
def show(run: str, packages: bool, logs: bool) -> None:  # noqa: FBT001
    """Show a run with all that it recorded.

    RUN is an id, the beginning of one (4 characters or more), or a name that one run alone has.
    """
    wanted = Wanted(packages, logs)
    with connected() as connection:
        client: Any = connection.client
        found = client.call(contract.show_run, NameRun(run=run_named(client, run)))
        ends = _ends(client, found) if logs else {}
        if chosen().as_json:
            said = msgspec.to_builtins(found)
            output.show_json({**said, "logs": ends} if logs else found)
            return
        if chosen().quiet:
            click.echo(found.id)
            return
        lines = [*_head(found), *_family(client, found), *_body(found, wanted)]
    click.echo("".join(f"{line}\n" for line in [*lines, *_printed(ends)]), nl=False)
    if logs and not ends:
        note("nothing that it printed is kept")


def _ends(client: FileClient, run: Run) -> dict[str, list[str]]:
    files = run.artifacts
    return {name: printed.last_lines(client, files, name) for name in printed.streams(files)}


def _head(run: Run) -> Iterator[str]:
    now = utc_now()
    ended = run.ended_at or run.finished_at
    yield f"id: {run.id}"
    yield f"name: {printable(run.name) or '-'}"
    yield f"status: {run.status}"
    if run.deleted_at is not None:
        yield f"deleted: {_when(run.deleted_at, now)}; mainspring runs restore {run.id[:8]}"
    yield f"experiment: {printable(run.experiment)}"
    for_whom = f" for {printable(run.user)}" if run.user and run.user != run.author else ""
    yield f"author: {printable(run.author)}{for_whom}"
    yield f"started: {_when(run.started_at, now)}"
    if ended is not None:
        yield f"ended: {_when(ended, now)}"
    yield f"duration: {span(((ended or now) - run.started_at).total_seconds())}"
    if not run.attested:
        yield "attested: no; the server did not see it opening, and gates do not count it"
    if run.tags.get(NOTE):
        yield from output.lines_of({NOTE: run.tags[NOTE]})


def _when(moment: dt.datetime, now: dt.datetime) -> str:
    return f"{short(moment)} ({ago(moment, now)})"


def _family(client: Client, run: Run) -> Iterator[str]:
    if run.parent is not None:
        yield f"parent: {run.parent}"
    asked = SearchRuns(filter=f"parent_run_id = '{run.id}'", limit=CHILDREN)
    page = client.call(search_contract.search_runs, asked)
    if page.items:
        yield "children:"
        yield from (f"  - {_child(child)}" for child in page.items)
    if page.next is not None:
        yield f'  … more: mainspring runs list --filter "{asked.filter}"'


def _child(run: FoundRun) -> str:
    own = [(key, value) for key, value, *_ in run.metrics if not key.startswith(SYSTEM)]
    last = " ".join(f"{printable(key)}={figure(to_number(value))}" for key, value in own[:6])
    return f"{run.id[:8]} {run.status} {printable(run.name)} {last}".rstrip()


def _body(run: Run, wanted: Wanted) -> Iterator[str]:
    tags = {key: value for key, value in run.tags.items() if key != NOTE}
    yield from _section("config", output.lines_of(_beyond_params(run), "  "))
    yield from _section("params", output.lines_of(dict(sorted(run.params.items())), "  "))
    yield from _section("metrics", _metrics(run))
    yield from _section("datasets", _datasets(run))
    yield from _section("models", _models(run))
    yield from _section("artifacts", _artifacts(run))
    yield from _section("code", output.lines_of(run.code, "  "))
    yield from _section("environment", _environment(run.environment, packages=wanted.packages))
    yield from _section("tags", output.lines_of(dict(sorted(tags.items())), "  "))


def _beyond_params(run: Run) -> dict[str, Any]:
    """What the configuration says and no parameter does: our own client makes parameters of it."""
    return {key: value for key, value in leaves(run.config) if key not in run.params}


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"{title}:"
        yield from found


def _metrics(run: Run) -> Iterator[str]:
    heads = ("key", "last", "min", "max", "best", "at step", "points")
    rows = [
        (
            printable(one.key),
            *(figure(to_number(v)) for v in (one.last, one.minimum, one.maximum, one.best)),
            str(one.best_step),
            str(one.count),
        )
        for one in sorted(run.metrics, key=lambda metric: metric.key.startswith(SYSTEM))
    ]
    return columns(heads, rows)


def _datasets(run: Run) -> Iterator[str]:
    heads = ("name", "role", "split", "rows", "digest", "source")
    rows = [
        (
            printable(one.name),
            printable(one.role) or "-",
            printable(one.split) or "-",
            "-" if one.rows is None else str(one.rows),
            printable(shortened_id(one.digest)),
            printable(one.source) or "-",
        )
        for one in run.datasets
    ]
    return columns(heads, rows)


def _models(run: Run) -> Iterator[str]:
    heads = ("id", "name", "state", "engine", "task", "files", "digest")
    rows = [
        (
            one.id[:8],
            printable(one.name),
            one.state,
            printable(one.engine) or "-",
            one.task or "-",
            str(len(one.files)),
            short(one.digest),
        )
        for one in run.models
    ]
    return columns(heads, rows)


def _artifacts(run: Run) -> Iterator[str]:
    kept = [file for file in run.artifacts if not file.path.startswith(OURS)]
    ours = [file for file in run.artifacts if file.path.startswith(OURS)]
    rows = [(printable(file.path), size_of(file.size)) for file in kept[:FILES]]
    yield from columns(("path", "size"), rows)
    if len(kept) > FILES:
        yield f"  … {len(kept) - FILES} more; mainspring artifacts list --place runs/{run.id}"
    if ours:
        size = size_of(sum(file.size for file in ours))
        yield f"  code and console: {len(ours)} files, {size}"


def _environment(environment: Mapping[str, Any], *, packages: bool) -> Iterator[str]:
    known = environment.get("packages")
    yield from output.lines_of(
        {key: value for key, value in environment.items() if key != "packages"}, "  "
    )
    if known and packages and isinstance(known, Mapping):
        yield from output.lines_of({"packages": dict(sorted(known.items()))}, "  ")
    elif known:
        yield f"  packages: {len(known)}; --packages names them"


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Aligned columns, indented; nothing if there is no row."""
    if not rows:
        return
    widths = [max(map(breadth, column)) for column in zip(heads, *rows, strict=True)]
    for line in (heads, *rows):
        yield f"  {output.GAP.join(map(fitting, line, widths))}".rstrip()


def _printed(ends: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for stream, lines in ends.items():
        yield f"{stream}:"
        yield from (f"  {printable(line)}" for line in lines)
