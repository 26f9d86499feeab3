"""`mainspring explain MS-1005`: what a code means, without a network."""

from __future__ import annotations

import json
from typing import Any

import click

from mainspring.core.errors import KINDS, MainspringError, NotFound
from mainspring.core.text import closest
from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.table import EXIT_CODES

ALL: tuple[type[MainspringError], ...] = (MainspringError, *KINDS)
CODES = {kind.code: kind for kind in ALL}

WHAT_TO_DO = {
    "MS-1000": "Run the command again with -v, look into the server's log, report it.",
    "MS-1001": "The message names the field, what was found and what is wanted: change it.",
    "MS-1002": "Send less at once; the message names the limit.",
    "MS-1003": "Set MAINSPRING_TOKEN or give --token; on the server's own machine name its --home.",
    "MS-1004": "Ask an administrator for a role: mainspring roles grant --person YOU --role ROLE.",
    "MS-1005": "List what there is (mainspring NOUN list), and look at the workspace (-w).",
    "MS-1006": "Show the thing first: somebody else may have changed it, or it is done already.",
    "MS-1007": "Each `why:` line is one thing that is missing; so tells mainspring promotion show.",
    "MS-1008": "Do what the message says: install the extra, or start the part that is missing.",
    "MS-1009": "Is the server running? mainspring status; mainspring doctor; mainspring up.",
    "MS-1010": "Restore the file from a backup: its bytes are not what was stored.",
    "MS-1011": "Wait as long as the message says; a token (MAINSPRING_TOKEN) has no such limit.",
}
"""What helps, by code; a test sees to it that none is missing."""


@click.command(cls=Command)
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain an error code; without one, list them all."""
    if code is None:
        listed = [entry(one) for one in CODES]
        lines = [f"{one['code']}  {one['name']:<16}{one['when']}" for one in listed]
        click.echo(json.dumps(listed) if chosen().as_json else "\n".join(lines))
        return
    number = code.upper() if code.upper().startswith("MS-") else f"MS-{code}"
    if number not in CODES:
        raise NotFound(
            f"no error code {code!r}{closest(number, CODES)}", fix="mainspring explain lists all"
        )
    found = entry(number)
    text = "".join(f"{name}: {value}\n" for name, value in found.items())
    click.echo(json.dumps(found) if chosen().as_json else text, nl=chosen().as_json)


def entry(code: str) -> dict[str, Any]:
    """All that there is to say about a code."""
    kind = CODES[code]
    unplanned = kind is MainspringError
    return {
        "code": code,
        "name": kind.name,
        "when": "When something unforeseen went wrong." if unplanned else kind.__doc__,
        "fix": WHAT_TO_DO[code],
        "http_status": kind.status,
        "exit_code": kind.exit_code,
        "exit_means": EXIT_CODES[kind.exit_code],
    }
