"""Alerts start retrainings; what happens to their promotions moves them on."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import Reaction, add_reaction, on
from mainspring.core.operation import Client
from mainspring.retraining import contract
from mainspring.retraining.contract import Advance, Trigger
from mainspring.retraining.policy import RetrainingState

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
    _advance(client, event, "refused", f"{event.actor}: {event.facts['reason']}")


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
    """The new version is in its stage; the rollout follows."""
    version, promotion = event.facts["version"], event.facts["promotion"]
    request = Advance(model=event.model, version=version, promotion=promotion, state="promoted")
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
    """The training or its checks broke, again and again."""
    if event.facts["reaction"] == "retraining.train":
        request = Advance(
            retraining=event.facts["about"], state="failed", outcome=event.facts["error"][-2000:]
        )
        client.call(contract.advance, request)
