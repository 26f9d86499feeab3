"""`mainspring status`: every deployment in one row, the worst first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
import msgspec

from mainspring.core.home import Home
from mainspring.core.operation import Client
from mainspring.core.settings import read_variable
from mainspring.deployment import contract as deployment
from mainspring.incidents import contract as incidents
from mainspring.interfaces.cli.connection import chosen_home, connected
from mainspring.interfaces.cli.frame import Choices, Command, chosen, note
from mainspring.interfaces.cli.output import show_cells, show_json
from mainspring.monitoring import contract as monitoring
from mainspring.retraining import contract as retraining

MOST = 1000


class FleetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment at a glance."""

    deployment: str
    state: str
    serves: str | None
    wants: str
    url: str | None
    restarts: int
    alerts: int
    """Open or taken on, not resolved."""
    incidents: int
    retraining: str | None
    """The state of the retraining under way."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """What `mainspring status --json` prints."""

    server: str | None
    home: str
    deployments: list[FleetRow]


@click.command(cls=Command)
def status() -> None:
    """Show every deployment, the worst first, and whether a server runs."""
    choices = chosen()
    home = chosen_home(choices)
    if _is_new(choices, Home(home)):
        _tell(Fleet(server=None, home=str(home), deployments=[]), "there is nothing here yet")
        return
    with connected() as connection:
        found = Fleet(server=connection.url, home=str(home), deployments=rows(connection.client))
    _tell(found, "no server runs; states are as the last one left them")


def _is_new(choices: Choices, home: Home) -> bool:
    """Whether looking would make a home where there is none."""
    named = choices.url or (read_variable("MAINSPRING_URL") if choices.home is None else None)
    kept = read_variable("MAINSPRING_DATABASE") or (home.folder / "mainspring.db").exists()
    return not named and not kept and home.server() is None


def _tell(fleet: Fleet, without_server: str) -> None:
    if chosen().as_json:
        show_json(fleet)
        return
    place = f"server: {fleet.server}" if fleet.server else f"{without_server}: mainspring up"
    note(f"{place}  (home {fleet.home})")
    if chosen().quiet:
        click.echo("".join(f"{row.deployment}\n" for row in fleet.deployments), nl=False)
    else:
        names = FleetRow.__struct_fields__
        show_cells(names, [[getattr(row, name) for name in names] for row in fleet.deployments])


def rows(client: Client) -> list[FleetRow]:
    """The fleet, the worst first."""
    limit: dict[str, Any] = {"limit": MOST}
    alerts = client.call(monitoring.list_alerts, monitoring.ListAlerts(**limit))
    opened = client.call(incidents.list_incidents, incidents.ListIncidents(state="open", **limit))
    trainings = client.call(retraining.list_retrainings, retraining.ListRetrainings(**limit))
    unresolved = Counter(alert.deployment for alert in alerts if alert.state != "resolved")
    wrong = Counter(incident.deployment for incident in opened)
    # Newest first: the last one written into the dictionary would be the oldest.
    active = {one.deployment: one.state for one in reversed(trainings) if one.finished_at is None}
    found = [
        FleetRow(
            deployment=one.name,
            state=one.state,
            serves=f"{one.model}@{one.served}" if one.served else None,
            wants=f"{one.model}@{one.version}" if one.wanted == "running" else "stopped",
            url=one.url,
            restarts=one.restarts,
            alerts=unresolved[one.name],
            incidents=wrong[one.name],
            retraining=active.get(one.name),
        )
        for one in client.call(deployment.list_deployments, deployment.ListDeployments(**limit))
    ]
    return sorted(found, key=_badness, reverse=True)


def _badness(row: FleetRow) -> tuple[bool, int, int, bool]:
    wrong = row.state == "failed" or row.wants not in ("stopped", row.serves)
    return wrong, row.incidents, row.alerts, row.state != "stopped"
