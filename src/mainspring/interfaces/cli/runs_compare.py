"""`mainspring runs compare`: what differs between runs, from configuration to packages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from mainspring.core.errors import Invalid
from mainspring.interfaces.cli import output
from mainspring.interfaces.cli.cells import (
    breadth,
    fitting,
    leaves,
    printable,
    short,
    shortened_id,
    whole,
)
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.figures import figure, span
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.runs_table import SYSTEM, narrow
from mainspring.interfaces.sdk.runs_named import runs_named
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun, Run, to_number

ABSENT = "-"
MOST_RUNS = 20
LABEL = 16
"""Columns of the terminal that the keys may take in any case; else two fifths."""
DURATION = ("run", "duration_s")
SECTIONS = ("run", "config", "params", "metrics", "datasets", "code", "environment")
Facts = dict[str, dict[str, Any]]
"""By section, by key."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that the runs say; None where a run says nothing of it."""

    section: str
    key: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        """Whether they do not all say the same; NaN is the same as NaN, and 6 as a parameter's '6'."""
        return len({None if value is None else str(value) for value in self.values}) > 1

    @property
    def counts(self) -> bool:
        """Whether it is told of its own accord; what the machine did differs every time."""
        return self.differs and not (self.section == "metrics" and self.key.startswith(SYSTEM))


@click.command(cls=Command)
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also what is the same.")
def compare(runs: Sequence[str], everything: bool) -> None:  # noqa: FBT001
    """Show what differs between runs: parameters, metrics, data, code, packages.

    A RUN is an id, the beginning of one, or a name that one run alone has.
    """
    with connected() as connection:
        client = connection.client
        ids = runs_named(client, runs)
        if not 2 <= len(ids) <= MOST_RUNS:
            raise Invalid(
                f"{len(ids)} runs are named, wanted 2 to {MOST_RUNS} different ones",
                field="runs", fix="mainspring runs compare A B",
            )  # fmt: skip
        found = [client.call(contract.show_run, NameRun(run=one)) for one in ids]
    lines = compared(found)
    shown = lines if everything else [line for line in lines if line.counts]
    if chosen().as_json:
        output.show_json(_document(found, shown))
    elif output.on_terminal():
        _tell(found, shown)
    else:
        names = ["of", "key", *(run.id for run in found)]
        output.show_cells(names, [[line.section, line.key, *line.values] for line in shown])
    _close(found, lines)


def compared(runs: Sequence[Run]) -> list[Line]:
    """Everything that at least one of the runs says."""
    facts = [facts_of(run) for run in runs]
    configured = {key for one in facts for key in one["config"]}
    for one in facts:
        # Our own client logs the configuration as parameters too, other tools' log nothing else.
        config, params = one["config"], one["params"]
        config |= {key: params[key] for key in configured - config.keys() if key in params}
        one["params"] = {key: value for key, value in params.items() if key not in configured}
    lines = []
    for section in SECTIONS:
        keys = dict.fromkeys(key for one in facts for key in sorted(one[section]))
        lines += [Line(section, key, [one[section].get(key) for one in facts]) for key in keys]
    return lines


def facts_of(run: Run) -> Facts:
    """What a run says, as flat documents of comparable values."""
    ended = run.ended_at or run.finished_at
    datasets: dict[str, Any] = {}
    for used in run.datasets:
        key = "/".join(word for word in (used.role, used.split, used.name) if word)
        datasets[key] = ", ".join(filter(None, (datasets.get(key), used.digest)))
    return {
        "run": {
            "experiment": run.experiment,
            "author": run.author,
            "status": run.status,
            "duration_s": (ended - run.started_at).total_seconds() if ended else None,
        },
        "config": _flat(run.config),
        "params": dict(run.params),
        "metrics": {metric.key: to_number(metric.last) for metric in run.metrics},
        "datasets": datasets,
        "code": _flat(run.code),
        "environment": _flat(run.environment),
    }


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: whole(v) if isinstance(v, list) else v for key, v in leaves(document)}


def _document(runs: Sequence[Run], lines: Sequence[Line]) -> dict[str, Any]:
    sections: dict[str, dict[str, list[Any]]] = {}
    for line in lines:
        values = line.values
        if line.section == "metrics":
            values = [None if value is None else contract.to_wire(value) for value in values]
        sections.setdefault(line.section, {})[line.key] = values
    named = [{"id": run.id, "name": run.name} for run in runs]
    return {"runs": named, "differences": sections}


def _tell(runs: Sequence[Run], lines: Sequence[Line]) -> None:
    """One table, with the change of a metric where two runs are compared; under each other if wide."""
    if not lines:
        return
    heads = [narrow(f"{run.id[:8]} {printable(run.name)}".strip()) for run in runs]
    columns = [[narrow(_cell(line, line.values[at])) for line in lines] for at in range(len(runs))]
    if len(runs) == 2:
        heads.append("change")
        columns.append([_change(line) for line in lines])
    labels = [f"  {_label(line)}" for line in lines]
    room = shutil.get_terminal_size().columns
    least = max(map(breadth, [*labels, *SECTIONS]))
    label = min(least, max(LABEL, room * 2 // 5))
    widths = [max(map(breadth, [h, *cells])) for h, cells in zip(heads, columns, strict=True)]
    for number, part in enumerate(_parts(widths, room - label)):
        if number:
            click.echo()
        table = [[fitting(text, label) for text in labels], *columns[part]]
        rows = [list(row) for row in zip(*table, strict=True)]
        output.show_table(["", *heads[part]], _under_titles(lines, rows))


def _label(line: Line) -> str:
    return "duration" if (line.section, line.key) == DURATION else printable(line.key)


def _parts(widths: Sequence[int], room: int) -> Iterator[slice]:
    """Runs that fit beside each other, one at least."""
    first, used = 0, 0
    for at, width in enumerate(widths):
        used += width + len(output.GAP)
        if used > room and at > first:
            yield slice(first, at)
            first, used = at, width + len(output.GAP)
    yield slice(first, len(widths))


def _under_titles(lines: Sequence[Line], rows: Sequence[list[str]]) -> list[list[str]]:
    """The rows, each section below its title."""
    found: list[list[str]] = []
    said = ""
    for line, row in zip(lines, rows, strict=True):
        if line.section != said:
            said = line.section
            found.append([said, *[""] * (len(row) - 1)])
        found.append(row)
    return found


def _cell(line: Line, value: Any) -> str:
    if value is None:
        return ABSENT
    if (line.section, line.key) == DURATION:
        return span(value)
    if isinstance(value, float):
        return figure(value)
    if line.section == "datasets":
        return printable(", ".join(map(shortened_id, value.split(", "))))
    return short(value)


def _change(line: Line) -> str:
    """How much the second is more than the first."""
    before, after = line.values
    if line.section != "metrics" or before is None or after is None or before == after:
        return ""
    change = figure(after - before)
    return change if change.startswith(("-", "N")) else f"+{change}"


def _close(runs: Sequence[Run], lines: Sequence[Line]) -> None:
    count = sum(line.counts for line in lines)
    rest = "; --all shows the rest" if count < len(lines) else ""
    note(f"{count} of {len(lines)} differ{rest}")
    changed = next((one for one in lines if one.section == "datasets" and one.differs), None)
    if changed is not None and all(changed.values) and len(runs) == 2:
        left, right = (value.split(", ")[0] for value in changed.values)
        note(f"next: mainspring data diff {left} {right}")
