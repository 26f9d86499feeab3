"""What follows by itself, in a worker: a requested promotion's checks, a version's engines timed."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import Reaction, add_reaction, on
from mainspring.core.operation import Client
from mainspring.registry import contract as registry
from mainspring.registry.contract import NamePromotion, RecordVerdict
from mainspring.validation import engine_timing

RUN_CHECKS, RUN_AGAIN = "validation.run-checks", "validation.run-checks-again"
TIME_ENGINES = "validation.time-engines"

for _name, _kind in ((RUN_CHECKS, "promotion.requested"), (RUN_AGAIN, "promotion.stale")):
    add_reaction(Reaction(_name, _kind, "worker", "mainspring.validation.execution:run_checks"))

add_reaction(
    Reaction(
        TIME_ENGINES,
        "version.registered",
        "worker",
        "mainspring.validation.engine_timing:time_engines",
    )
)


@on("job.failed", name="validation.give-up-engines")
def give_up_engines(client: Client, event: Event) -> None:
    """Engines that cannot be timed are not waited for: the version's own answers."""
    if event.facts["reaction"] == TIME_ENGINES:
        engine_timing.give_up(client, event)


@on("job.failed", name="validation.give-up")
def give_up(client: Client, event: Event) -> None:
    """Checks that cannot be run have not passed: nobody waits for them for a fortnight."""
    if event.facts["reaction"] not in (RUN_CHECKS, RUN_AGAIN):
        return
    named = NamePromotion(promotion=event.facts["about"])
    promotion = client.call(registry.show_promotion, named)
    if promotion.state != "checking":
        return
    reason = f"the checks could not be run: {event.facts['error'][-2000:]}"
    for one in promotion.checks:
        if one.pending:
            request = RecordVerdict(
                promotion=promotion.id,
                check=one.check,
                outcome="failed",
                reason=reason,
                data_digest="none",
            )
            if client.call(registry.record_verdict, request).state != "checking":
                return
