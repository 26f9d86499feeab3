"""The table of runs on a terminal: which columns, and how many of them fit."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from mainspring.interfaces.cli import output
from mainspring.interfaces.cli.cells import breadth, fitting, printable
from mainspring.interfaces.cli.figures import ago, aligned, figure, span
from mainspring.interfaces.cli.frame import note
from mainspring.interfaces.sdk.runs import RunRecord

WIDEST = 28
"""Letters of one cell; `--columns` shows all."""
SYSTEM = "system/"
"""What the metrics of the machine begin with."""


class Fixed(NamedTuple):
    """A column that every run has."""

    short: Callable[[RunRecord, dt.datetime], str]
    whole: Callable[[RunRecord, dt.datetime], Any]


def _duration(run: RunRecord, now: dt.datetime) -> float:
    return ((run.ended_at or now) - run.started_at).total_seconds()


FIXED: dict[str, Fixed] = {
    "id": Fixed(lambda run, _: run.id[:8], lambda run, _: run.id),
    "name": Fixed(lambda run, _: run.name or "-", lambda run, _: run.name),
    "experiment": Fixed(lambda run, _: run.experiment, lambda run, _: run.experiment),
    "status": Fixed(lambda run, _: run.status, lambda run, _: run.status),
    "author": Fixed(lambda run, _: run.author, lambda run, _: run.author),
    "started": Fixed(lambda run, now: ago(run.started_at, now), lambda run, _: run.started_at),
    "ended": Fixed(
        lambda run, now: ago(run.ended_at, now) if run.ended_at else "-",
        lambda run, _: run.ended_at,
    ),
    "duration": Fixed(
        lambda run, now: span(_duration(run, now)), lambda run, now: round(_duration(run, now), 3)
    ),
}
"""Short for people, whole for programs: there, a duration is in seconds."""


def column_names(
    runs: Sequence[RunRecord], orders: Sequence[str], *, everything: bool = False
) -> list[str]:
    """The columns worth showing: what is sorted by, then metrics, then parameters that vary.

    Of metrics, and of parameters, first those that most of the runs have.
    """
    names = ["id", "name", "status", "started", "duration"]
    if everything or len({run.experiment for run in runs}) > 1:
        names.insert(2, "experiment")
    metrics, params = (
        _by_use([getattr(run, one) for run in runs]) for one in ("metrics", "params")
    )
    if everything:
        tags = sorted({key for run in runs for key in run.tags})
        spread = {"metrics": sorted(metrics), "params": sorted(params), "tags": tags}
        return [*FIXED, *(f"{of}.{key}" for of, keys in spread.items() for key in keys)]
    found = [f"metrics.{key}" for key in metrics if not key.startswith(SYSTEM)]
    found += [f"params.{key}" for key in params if _varies(runs, key)]
    first = [name for order in orders if (name := _named(order)) in found]
    return [*names, *dict.fromkeys([*first, *found])]


def _by_use(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = Counter(key for document in documents for key in document)
    return sorted(counts, key=lambda key: (-counts[key], key))


def _varies(runs: Sequence[RunRecord], key: str) -> bool:
    return len(runs) == 1 or len({run.params.get(key) for run in runs}) > 1


def _named(order: str) -> str:
    """The column that an order is by: `metrics."val loss" DESC`."""
    word = re.sub(r"\s+(asc|desc)\s*$", "", order.strip(), flags=re.IGNORECASE)
    entity, dot, key = word.partition(".")
    return f"{entity.rstrip('s')}s{dot}{key.strip(chr(34) + chr(96))}"


def by_worth(names: Sequence[str]) -> list[str]:
    """The columns in the order in which they are given room: a measure and a choice before times."""
    spread = [name for name in names if "." in name]
    first, rest = spread[:1], spread[1:]
    metrics = [name for name in rest if name.startswith("metrics.")]
    params = [name for name in rest if not name.startswith("metrics.")]
    turns = [name for pair in zip_longest(params, metrics) for name in pair if name is not None]
    return [*(n for n in ("id", "name") if n in names), *first, "status", *turns[:1], "started",
            *turns[1:2], "experiment", *turns[2:4], "duration", *turns[4:]]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Heads, and the cells below them, column by column."""

    names: Sequence[str]
    heads: list[str]
    columns: list[list[str]]

    @classmethod
    def of(cls, runs: Sequence[RunRecord], names: Sequence[str], now: dt.datetime) -> Table:
        """The cells of the runs."""
        heads = [_head(name) for name in names]
        return cls(names, heads, [_cells(runs, name, now) for name in names])

    def widths(self) -> list[int]:
        """The widest of each column."""
        pairs = zip(self.heads, self.columns, strict=True)
        return [max(map(breadth, (head, *cells))) for head, cells in pairs]


def _head(name: str) -> str:
    document, dot, key = name.partition(".")
    return printable(key) if dot and document != "tags" else printable(name)


def _cells(runs: Sequence[RunRecord], name: str, now: dt.datetime) -> list[str]:
    if name in FIXED:
        return [printable(FIXED[name].short(run, now)) for run in runs]
    document, _, key = name.partition(".")
    values = [getattr(run, document).get(key) for run in runs]
    if document == "metrics":
        return aligned([figure(value) for value in values])
    return [printable("-" if value is None else value) for value in values]


def shown_table(table: Table, *, whole: bool) -> None:
    """Print the columns that fit, those of most worth; all that were asked for by name."""
    left_out: list[str] = []
    if not whole:
        columns = [[narrow(cell) for cell in cells] for cells in table.columns]
        table = Table(table.names, [narrow(head) for head in table.heads], columns)
        places = _fitting(table, shutil.get_terminal_size().columns)
        left_out = [table.heads[at] for at in range(len(table.names)) if at not in places]
        heads, columns = table.heads, table.columns
        table = Table(
            [table.names[at] for at in places],
            [heads[at] for at in places],
            [columns[at] for at in places],
        )
    output.show_table(table.heads, list(zip(*table.columns, strict=True)))
    if left_out:
        names = ", ".join(left_out[:4]) + (", …" if len(left_out) > 4 else "")
        word = "column" if len(left_out) == 1 else "columns"
        note(f"{len(left_out)} {word} left out ({names}): --columns names those to show")


def _fitting(table: Table, room: int) -> list[int]:
    """The places of the columns that fit beside each other; the first two in any case."""
    widths = dict(zip(table.names, table.widths(), strict=True))
    chosen: set[str] = set()
    left = room + len(output.GAP)
    for name in by_worth(table.names):
        if name not in widths:
            continue
        taken = widths[name] + len(output.GAP)
        if taken <= left or len(chosen) < 2:
            chosen.add(name)
            left -= taken
    return [at for at, name in enumerate(table.names) if name in chosen]


def narrow(text: str) -> str:
    """A cell that leaves room for others."""
    return text if breadth(text) <= WIDEST else fitting(text, WIDEST)
