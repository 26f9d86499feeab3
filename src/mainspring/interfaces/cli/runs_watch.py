"""`mainspring runs watch`: a run's values and lines as they come, until it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import click
import msgspec

from mainspring.core.errors import NotFound, Unreachable
from mainspring.core.operation import Client
from mainspring.interfaces.cli import printed
from mainspring.interfaces.cli.cells import printable
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.figures import figure
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.runs_table import SYSTEM
from mainspring.interfaces.sdk.runs_named import run_named
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import NameRun, Run, to_number
from mainspring.tracking.run import FINAL
from mainspring.tracking.search_contract import SearchRuns

LOOK_S = 1.0
PATIENCE_S = 60.0
"""How long a server may be away: it is started again now and then."""
OVER = (*FINAL, "crashed")
ENDS_WITH = {"finished": 0}
SAID_NO = 3
"""The exit code when the run ended in any other way."""


@click.command(cls=Command)
@click.argument("run", metavar="[RUN]", required=False)
@click.pass_context
def watch(context: click.Context, run: str | None) -> None:
    """Follow a run until it ends: its values as they change, and what it prints.

    Without a RUN, the newest that runs now. Ends with 0 when the run has finished, with 3 when it
    failed, was killed or crashed. Ctrl-C leaves the run alone.
    """
    with connected() as connection:
        client: Any = connection.client
        public_id = run_named(client, run) if run else _newest(client)
        watcher = Watcher(client, public_id)
        status = watcher.follow()
    if not chosen().as_json:
        note(f"{public_id[:8]} is {status}: mainspring runs show {public_id[:8]}")
    context.exit(ENDS_WITH.get(status, SAID_NO))


def _newest(client: Client) -> str:
    asked = SearchRuns(filter="status = 'RUNNING'", limit=1)
    page = client.call(search_contract.search_runs, asked)
    if not page.items:
        raise NotFound("no run is running", field="run", fix="mainspring runs list")
    return page.items[0].id


class Watcher:
    """Follows one run and tells each change once."""

    def __init__(self, client: Any, run: str) -> None:
        self._client = client
        self._run = run
        self._told: dict[str, tuple[float, int, int]] = {}
        self._status = ""
        self._pieces: set[str] = set()
        self._open_lines = {"stdout": "", "stderr": ""}

    def follow(self) -> str:
        """Look every second until the run has ended; answers how."""
        while True:
            run = self._look()
            self._tell(run)
            # Nothing is printed after the end: a run that is over takes no files.
            if run.status in OVER:
                self._close()
                return run.status
            sleep(LOOK_S)

    def _look(self) -> Run:
        deadline: float | None = None
        while True:
            try:
                return self._client.call(contract.show_run, NameRun(run=self._run))  # type: ignore[no-any-return]
            except Unreachable as error:
                if deadline is None:
                    note(f"{error.message}; looking again for {PATIENCE_S:g} s")
                    deadline = monotonic() + PATIENCE_S
                if monotonic() > deadline:
                    raise
            sleep(LOOK_S)

    def _tell(self, run: Run) -> None:
        """Print what is new; an end is the last word, and any other state the first."""
        changes = [*self._printed(run), *self._measured(run)]
        if run.status != self._status:
            self._status = run.status
            place = len(changes) if run.status in OVER else 0
            changes.insert(place, {"status": run.status})
        for change in changes:
            self._say(change)
        sys.stdout.flush()

    def _measured(self, run: Run) -> Iterator[dict[str, Any]]:
        fresh = {}
        for metric in run.metrics:
            seen = (to_number(metric.last), metric.last_step, metric.count)
            # NaN is not equal to itself, and no news either.
            if repr(self._told.get(metric.key)) != repr(seen):
                self._told[metric.key] = seen
                fresh[metric.key] = {"value": metric.last, "step": metric.last_step}
        if fresh:
            yield {"metrics": fresh}

    def _printed(self, run: Run) -> Iterator[dict[str, Any]]:
        for stream in self._open_lines:
            fresh = [
                file
                for file in printed.pieces(run.artifacts, stream)
                if file.path not in self._pieces
            ]
            self._pieces |= {file.path for file in fresh}
            text = self._open_lines[stream] + "".join(printed.text_of(self._client, fresh))
            *lines, self._open_lines[stream] = text.split("\n")
            yield from ({"stream": stream, "line": line} for line in lines)

    def _close(self) -> None:
        for stream, line in self._open_lines.items():
            if line:
                self._say({"stream": stream, "line": line})
        sys.stdout.flush()

    def _say(self, change: dict[str, Any]) -> None:
        if chosen().as_json:
            click.echo(msgspec.json.encode(change).decode())
        elif "line" in change:
            click.echo(printable(change["line"]), err=change["stream"] == "stderr")
        elif "metrics" in change:
            line = _values(change["metrics"])
            if line:
                click.echo(line)
        elif change["status"] not in OVER:
            note(f"{self._run[:8]} is {change['status']}")


def _values(metrics: dict[str, dict[str, Any]]) -> str:
    """`step 12  auc 0.71  loss 0.3`; the machine's own are left to --json."""
    by_step: dict[int, list[str]] = {}
    for key, told in metrics.items():
        if not key.startswith(SYSTEM):
            value = figure(to_number(told["value"]))
            by_step.setdefault(told["step"], []).append(f"{printable(key)} {value}")
    return "  ".join(f"step {step}  {'  '.join(said)}" for step, said in sorted(by_step.items()))
