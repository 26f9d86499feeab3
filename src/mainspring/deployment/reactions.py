"""What a deployment does when its model's stage changes."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import on
from mainspring.core.operation import Client
from mainspring.deployment import contract
from mainspring.registry import contract as registry
from mainspring.registry.contract import Resolve


def _follow(client: Client, event: Event) -> None:
    assert event.model is not None
    # What is in the stage now, not what the event says: a later promotion may have come first.
    resolve = Resolve(model=event.model, reference=event.facts["stage"])
    version = client.call(registry.resolve, resolve).version
    deployments = client.call(contract.list_deployments, contract.ListDeployments(limit=1000))
    for deployment in deployments:
        if (deployment.model, deployment.stage) == (event.model, event.facts["stage"]):
            request = contract.RollOut(deployment=deployment.name, version=version)
            client.call(contract.roll_out, request)


@on("version.promoted", name="deployment.follow-promotion")
def follow_promotion(client: Client, event: Event) -> None:
    """Roll the promoted version out wherever its stage is served."""
    _follow(client, event)


@on("version.rolled_back", name="deployment.follow-rollback")
def follow_rollback(client: Client, event: Event) -> None:
    """Return every deployment of the stage to the earlier version."""
    _follow(client, event)
