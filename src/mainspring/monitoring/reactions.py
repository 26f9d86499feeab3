"""Days that ended are measured in a worker; alerts that escalate reach people."""

from __future__ import annotations

from mainspring.core.errors import MainspringError
from mainspring.core.event import Event
from mainspring.core.jobs import Reaction, add_reaction, on
from mainspring.core.operation import Client
from mainspring.core.plugins import plug
from mainspring.monitoring import contract
from mainspring.monitoring.contract import NameAlert
from mainspring.monitoring.notifier import Notifier

add_reaction(
    Reaction(
        "monitoring.measure-windows",
        "windows.due",
        "worker",
        "mainspring.monitoring.measurement:measure_windows",
    )
)


@on("alert.escalated", name="monitoring.notify")
def notify(client: Client, event: Event) -> None:
    """Tell everybody whom the step names; one that fails does not keep the others from knowing."""
    alert = client.call(contract.show_alert, NameAlert(alert=event.subject))
    failures: list[str] = []
    for name in event.facts["notify"]:
        notifier: Notifier = plug("notifiers", name)()
        try:
            notifier.tell(alert, event.facts["step"])
        except (MainspringError, OSError) as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise MainspringError("; ".join(failures))
