"""`mainspring demo`: the whole loop on real data."""

from __future__ import annotations

from typing import Any

import click

from mainspring.core.extras import missing
from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.loading import ARGUMENTS, PLAY, load
from mainspring.interfaces.cli.requirements import requirements

EXTRAS = ("demo", "loop")


@click.command(cls=Command)
@click.option("--days", type=click.IntRange(1), help="How many days after February; all.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), help="Days a second, at most.")
@click.option("--seed", type=int, default=2013, show_default=True, help="What chance begins with.")
@click.option(
    "--level",
    type=click.IntRange(0, 3),
    default=3,
    show_default=True,
    help="Autonomy: 0 alerts only, 1 proposes, 2 retrains, 3 promotes by a standing policy.",
)
@click.option("--keep", is_flag=True, help="Leave the server up at the end, to look around.")
@click.option("--port", type=click.IntRange(0, 65535), help="The server's port; any free one.")
@click.pass_context
def demo(context: click.Context, /, **given: Any) -> None:
    """Play the whole loop on the New York flights of 2013: train, gate, deploy, drift, retrain."""
    for one in requirements():
        if one.extra in EXTRAS and one.found is None:
            raise missing(one.package, EXTRAS[0])
    choices = chosen()
    arguments = load(ARGUMENTS)(
        home=choices.home, as_json=choices.as_json, quiet=choices.quiet, **given
    )
    context.exit(load(PLAY)(arguments))
