"""`mainspring admin`: the installation itself."""

from __future__ import annotations

import click

from mainspring.core.home import Home
from mainspring.core.settings import Settings, read_variable
from mainspring.interfaces.cli.connection import chosen_home
from mainspring.interfaces.cli.frame import Command, Group, chosen
from mainspring.interfaces.cli.loading import AUDIT, DATABASE, MIGRATE, load
from mainspring.interfaces.cli.output import show_json


@click.command(cls=Command)
@click.option("--database", metavar="URL", help="Of PostgreSQL; SQLite in the home if not given.")
def migrate(database: str | None) -> None:
    """Bring the database's schema up to this release; SQLite is backed up first."""
    home = Home(chosen_home(chosen()))
    settings = Settings(home=home.folder, database=database or read_variable("MAINSPRING_DATABASE"))
    with home.writing():
        opened = load(DATABASE)(settings.database_url)
        try:
            done = load(MIGRATE)(opened, migrate=True)
        finally:
            opened.close()
    if chosen().as_json:
        show_json({"done": done})
    else:
        click.echo(done)


class Admin(Group):
    """The commands of this module, and those about the log of events."""

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of the name."""
        if cmd_name == "audit":
            audit: click.Command = load(AUDIT)
            return audit
        return {"migrate": migrate}.get(cmd_name)


admin = Admin(
    "admin",
    {"migrate": migrate.get_short_help_str(80), "audit": "Verify the log of events."},
    help="Keep the installation.",
)
