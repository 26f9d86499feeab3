"""`mainspring gc`: what was deleted long ago goes, chunk by chunk, until there is no more."""

from __future__ import annotations

import re
import sys

import click
import msgspec

from mainspring.core.operation import Client
from mainspring.governance import contract
from mainspring.governance.contract import Collect, Collected
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.output import show_cells, show_json

SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}
COUNTED = [name for name in Collected.__struct_fields__ if name != "next"]


class Span(click.ParamType[int]):
    """A span of time: `30d`, `12h`, `0`."""

    name = "span"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Its seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,6})([smhdw])|0", value)
        if found is None:
            self.fail(f"{value!r} is no span of time; for instance: 30d, 12h, 45m, 0", param, ctx)
        return int(found[1] or 0) * SECONDS[found[2] or "s"]


@click.command(cls=Command)
@click.option(
    "--older-than", "older_than_s", type=Span(), default="30d", show_default=True, metavar="SPAN",
    help="How long ago a thing must have been deleted: 30d, 12h, 0.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def gc(older_than_s: int, dry_run: bool) -> None:  # noqa: FBT001
    """Free what was deleted long ago, and the files that nothing names."""
    if sys.stdin.isatty() and not dry_run and not chosen().yes:
        click.confirm("what goes cannot be restored. Go on?", abort=True, err=True)
    with connected() as connection:
        freed = collected(connection.client, older_than_s, dry_run=dry_run)
    if chosen().as_json:
        show_json({"dry_run": dry_run, **freed})
        return
    note("this would go:" if dry_run else "gone:")
    show_cells(COUNTED, [[freed[name] for name in COUNTED]])


def collected(client: Client, older_than_s: int, *, dry_run: bool) -> dict[str, int]:
    """Ask for one chunk after the other; answers the sums."""
    sums = dict.fromkeys(COUNTED, 0)
    after: str | None = None
    while True:
        request = Collect(older_than_s=older_than_s, dry_run=dry_run, after=after)
        chunk = msgspec.structs.asdict(client.call(contract.collect, request))
        for name in COUNTED:
            sums[name] += chunk[name]
        after = chunk["next"]
        if after is None:
            return sums
