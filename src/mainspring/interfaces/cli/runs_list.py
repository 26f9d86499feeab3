"""`mainspring runs list`: the runs that fit, with what was measured and what varies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import click
import msgspec

from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid
from mainspring.core.operation import Client, Page
from mainspring.interfaces.cli import output
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.runs_table import FIXED, Table, column_names, shown_table
from mainspring.interfaces.sdk.runs import RunRecord, asked, experiment_ids, record_of
from mainspring.tracking import search_contract
from mainspring.tracking.contract import to_wire
from mainspring.tracking.search_contract import CountRuns, FoundRun, SearchRuns

FEW = 20
PAGE = 1000
STATUSES = ["running", "scheduled", "finished", "failed", "killed", "crashed"]


@click.command(cls=Command)
@click.option(
    "--experiment", "experiments", multiple=True, metavar="NAME|ID", help="Of these only."
)
@click.option(
    "--filter",
    "filter_text",
    default="",
    metavar="TEXT",
    help="For instance: metrics.auc > 0.7 and params.depth = '6' (docs/search.md).",
)
@click.option("--status", type=click.Choice(STATUSES), help="In this state only.")
@click.option(
    "--order-by",
    multiple=True,
    metavar="CLAUSE",
    help="For instance: metrics.auc DESC.  [default: newest first]",
)
@click.option(
    "--columns",
    multiple=True,
    metavar="NAMES",
    help="What to show, by commas: id,name,metrics.auc,params.*  [default: what varies]",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 50_000),
    default=FEW,
    show_default=True,
    help="How many at most.",
)
@click.option("--all", "everything", is_flag=True, help="All that fit.")
@click.option("--deleted", is_flag=True, help="Those that were deleted.")
@click.option("--after", metavar="TOKEN", help="Go on behind the page before.")
def list_runs(columns: Sequence[str], everything: bool, **said: Any) -> None:  # noqa: FBT001
    """List runs, newest first.

    Shows the last value of each metric, and the parameters in which the runs differ.
    """
    wanted = [name.strip() for one in columns for name in one.split(",") if name.strip()]
    checked_columns(wanted)
    with connected() as connection:
        search = Asked(**said).search(connection.client)
        client = connection.client
        page = _pages(client, search) if everything else _page(client, search)
        total = _total(client, search, page)
        why = "" if page.items else _why_none(client, search)
    _tell(page, total, wanted, said["order_by"])
    note(why or f"{len(page.items):,} of {total:,}{_way_on(page, total)}")


def checked_columns(names: Sequence[str]) -> None:
    """Refuse a name that no column has."""
    for name in names:
        spread = name.partition(".")[0] in ("metrics", "params", "tags") and "." in name
        if name not in FIXED and not spread and "*" not in name:
            raise Invalid(
                f"there is no column {name!r}", field="columns",
                fix=f"{', '.join(FIXED)}, metrics.KEY, params.KEY, tags.KEY; with * for any",
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that say which runs are meant."""

    experiments: Sequence[str] = ()
    filter_text: str = ""
    status: str | None = None
    order_by: Sequence[str] = ()
    deleted: bool = False
    limit: int = FEW
    after: str | None = None

    def search(self, client: Client) -> SearchRuns:
        """The same as the server is asked."""
        clauses = [self.filter_text.strip(), self.status and f"status = '{self.status.upper()}'"]
        return SearchRuns(
            experiments=experiment_ids(client, self.experiments),
            filter=" and ".join(clause for clause in clauses if clause),
            order_by=list(self.order_by),
            view="deleted" if self.deleted else "active",
            limit=self.limit,
            after=self.after,
        )


def _page(client: Client, search: SearchRuns) -> Page[FoundRun]:
    return asked(client, search_contract.search_runs, search)


def _pages(client: Client, search: SearchRuns) -> Page[FoundRun]:
    search = msgspec.structs.replace(search, limit=PAGE)
    items: list[FoundRun] = []
    while True:
        page = _page(client, search)
        items += page.items
        if page.next is None:
            return Page(items=items)
        search = msgspec.structs.replace(search, after=page.next)


def _total(client: Client, search: SearchRuns, page: Page[FoundRun]) -> int:
    if page.next is None and search.after is None:
        return len(page.items)
    same = CountRuns(experiments=search.experiments, filter=search.filter, view=search.view)
    return asked(client, search_contract.count_runs, same).count


def _why_none(client: Client, search: SearchRuns) -> str:
    """Where the runs are that were looked for."""
    if search.after is not None:
        return "none behind that page"
    there = client.call(search_contract.count_runs, CountRuns()).count
    if search.view == "deleted":
        return "none is deleted" if not search.filter else "none that is deleted fits"
    if there:
        return f"none fits; without filters there are {there:,}"
    return "no runs yet; make one: mainspring run -- python train.py, or ms.run in a script"


def _way_on(page: Page[FoundRun], total: int) -> str:
    if page.next is None:
        return ""
    limit = _next_limit(len(page.items), total)
    # A token is for programs: on a terminal it would be the longest word by far.
    other = "--all" if output.on_terminal() else f"--after {page.next}"
    return f"; more: --limit {limit} or {other}"


def _next_limit(shown: int, total: int) -> int:
    """A page that holds more, and not very much more than there is."""
    return min(max(100, 5 * shown), max(total, shown + 1), 50_000)


def _tell(page: Page[FoundRun], total: int, wanted: list[str], orders: Sequence[str]) -> None:
    runs = [record_of(found) for found in page.items]
    if chosen().as_json:
        items = [as_json(run) for run in runs]
        output.show_json({"items": items, "next": page.next, "total": total})
        return
    if chosen().quiet:
        click.echo("".join(f"{run.id}\n" for run in runs), nl=False)
        return
    names = _expanded(wanted, runs) if wanted else column_names(runs, orders)
    now = utc_now()
    if output.on_terminal():
        if runs:
            shown_table(Table.of(runs, names, now), whole=bool(wanted))
    else:
        rows = [[_whole(FIXED, run, name, now) for name in names] for run in runs]
        output.show_cells(names, rows)


def _expanded(wanted: Sequence[str], runs: Sequence[RunRecord]) -> list[str]:
    """The columns by name, with those that a pattern fits."""
    known = column_names(runs, (), everything=True)
    found: dict[str, None] = {}
    for name in wanted:
        fits = [one for one in known if fnmatchcase(one, name)] if "*" in name else [name]
        found.update(dict.fromkeys(fits))
    return list(found)


def _whole(fixed: Any, run: RunRecord, name: str, now: dt.datetime) -> Any:
    if name in fixed:
        return fixed[name].whole(run, now)
    document, _, key = name.partition(".")
    value = getattr(run, document).get(key)
    return to_wire(value) if document == "metrics" and value is not None else value


def as_json(run: RunRecord) -> dict[str, Any]:
    """The run as JSON can say it."""
    document: dict[str, Any] = msgspec.structs.asdict(run)
    return {**document, "metrics": {key: to_wire(value) for key, value in run.metrics.items()}}
