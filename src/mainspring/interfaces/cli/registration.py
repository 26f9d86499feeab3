"""`mainspring requirements`: what runs must have recorded before a model of them is registered."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mainspring.core.errors import Invalid
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen, note
from mainspring.interfaces.cli.output import show as show_answer
from mainspring.registry import requirement_contract as contract
from mainspring.registry.requirement import REQUIREMENTS, named
from mainspring.registry.requirement_contract import (
    Requirements,
    SetRequirements,
    ShowRequirements,
)


@click.command(cls=Command)
def show() -> None:
    """Show what a run must have recorded for a registration."""
    with connected() as connection:
        found = connection.client.call(contract.show_requirements, ShowRequirements())
    _tell(found)


@click.command(cls=Command)
@click.argument(
    "require", metavar="[data] [code] [environment]", nargs=-1, type=click.Choice(REQUIREMENTS)
)
@click.option("--none", "nothing", is_flag=True, help="Ask for nothing.")
def require(require: Sequence[str], nothing: bool) -> None:  # noqa: FBT001
    """Say what a run must have recorded for a registration.

    Replaces what was asked before; versions that are registered stay.
    """
    if bool(require) == nothing:
        raise Invalid(
            "name what is asked for, or nothing at all", field="require",
            fix="mainspring requirements set data code environment; or --none",
        )  # fmt: skip
    with connected() as connection:
        wanted = [one for one in REQUIREMENTS if one in require]
        found = connection.client.call(contract.set_requirements, SetRequirements(require=wanted))
    _tell(found)


def _tell(found: Requirements) -> None:
    show_answer(contract.show_requirements, found)
    if not chosen().as_json:
        asked = named(found.require) if found.require else "nothing"
        note(f"a registration asks of its run: {asked}")
