"""Alerts start retrainings; what happens to their promotions moves them on."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import Reaction, add_reaction, on
from mainspring.core.operation import Client
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import ListDeployments
from mainspring.retraining import contract
from mainspring.retraining.contract import Advance, ListRetrainings, Trigger
from mainspring.retraining.policy import RetrainingState

STAGE = "production"
"""Retraining is for what serves; a promotion to staging is somebody's own affair."""

add_reaction(
    Reaction(
        "retraining.train",
        "retraining.requested",
        "training",
        "mainspring.retraining.execution:train",
    )
)


@on("alert.continued", name="retraining.trigger-again")
@on("alert.raised", name="retraining.trigger")
def start(client: Client, event: Event) -> None:
    """Let the policy decide what the alert leads to."""
    assert event.model is not None
    client.call(contract.trigger, Trigger(model=event.model, alert=event.subject))


def _advance(client: Client, event: Event, state: RetrainingState, outcome: str = "") -> None:
    if event.facts["stage"] != STAGE:
        return
    request = Advance(
        model=event.model,
        version=event.facts["version"],
        promotion=event.subject,
        state=state,
        outcome=outcome,
    )
    client.call(contract.advance, request)


@on("promotion.waiting", name="retraining.wait")
def wait(client: Client, event: Event) -> None:
    """The checks have passed; people decide."""
    _advance(client, event, "waiting")


@on("promotion.failed", name="retraining.refuse-failed")
def refuse_failed(client: Client, event: Event) -> None:
    """A check said no."""
    _advance(client, event, "refused", "; ".join(event.facts["reasons"]))


@on("promotion.rejected", name="retraining.refuse-rejected")
def refuse_rejected(client: Client, event: Event) -> None:
    """A person said no."""
    _advance(client, event, "refused", f"{event.actor!r}: {event.facts['reason']}")


@on("promotion.expired", name="retraining.refuse-expired")
def refuse_expired(client: Client, event: Event) -> None:
    """Nobody decided in time."""
    _advance(client, event, "refused", "nobody decided in time")


@on("promotion.withdrawn", name="retraining.refuse-withdrawn")
def refuse_withdrawn(client: Client, event: Event) -> None:
    """The request was taken back."""
    _advance(client, event, "refused", "the request was withdrawn")


@on("version.promoted", name="retraining.promote")
def promote(client: Client, event: Event) -> None:
    """The new version is in its stage; the rollout follows, if anything serves the stage."""
    if event.facts["stage"] != STAGE:
        return
    version, promotion = event.facts["version"], event.facts["promotion"]
    listed = client.call(deployments.list_deployments, ListDeployments(limit=1000))
    served = any(
        (one.model, one.stage, one.wanted) == (event.model, STAGE, "running") for one in listed
    )
    request = Advance(
        model=event.model,
        version=version,
        promotion=promotion,
        state="promoted" if served else "done",
        outcome="" if served else "in production, which nothing serves",
    )
    client.call(contract.advance, request)
    _supersede(client, event)


@on("version.rolled_back", name="retraining.supersede")
def supersede(client: Client, event: Event) -> None:
    """An earlier version is back before the new one was ever rolled out."""
    if event.facts["stage"] == STAGE:
        _supersede(client, event)


def _supersede(client: Client, event: Event) -> None:
    """End the retrainings whose version was promoted and is in production no more."""
    for one in client.call(contract.list_retrainings, ListRetrainings(model=event.model)):
        if one.state == "promoted" and one.version != event.facts["version"]:
            outcome = f"version {event.facts['version']} took its place"
            request = Advance(retraining=one.id, state="done", outcome=outcome)
            client.call(contract.advance, request)


@on("rollout.finished", name="retraining.finish")
def finish(client: Client, event: Event) -> None:
    """The new version answers requests."""
    version = event.facts["version"]
    request = Advance(model=event.model, version=version, state="done", outcome="in production")
    client.call(contract.advance, request)


@on("rollout.failed", name="retraining.fail-rollout")
def fail_rollout(client: Client, event: Event) -> None:
    """The new version cannot be loaded; the earlier one keeps serving."""
    version, outcome = event.facts["version"], event.facts["message"][:2000]
    request = Advance(model=event.model, version=version, state="failed", outcome=outcome)
    client.call(contract.advance, request)


@on("job.failed", name="retraining.fail")
def fail(client: Client, event: Event) -> None:
    """The training broke, again and again; broken checks fail its promotion."""
    if event.facts["reaction"] == "retraining.train":
        request = Advance(
            retraining=event.facts["about"], state="failed", outcome=event.facts["error"][-2000:]
        )
        client.call(contract.advance, request)
