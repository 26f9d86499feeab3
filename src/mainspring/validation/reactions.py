"""A requested promotion runs its checks by itself, in a worker; if that breaks, it is over."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import Reaction, add_reaction, on
from mainspring.core.operation import Client
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameModel, NamePromotion, RecordVerdict

RUN_CHECKS = "validation.run-checks"

add_reaction(
    Reaction(
        RUN_CHECKS,
        "promotion.requested",
        "worker",
        "mainspring.validation.execution:run_checks",
    )
)


@on("job.failed", name="validation.give-up")
def give_up(client: Client, event: Event) -> None:
    """Checks that cannot be run have not passed: nobody waits for them for a fortnight."""
    if event.facts["reaction"] != RUN_CHECKS:
        return
    named = NamePromotion(promotion=event.facts["about"])
    promotion = client.call(registry.show_promotion, named)
    if promotion.state != "checking":
        return
    suites = client.call(registry.list_suites, NameModel(model=promotion.model))
    suite = next(one for one in suites if one.digest == promotion.suite_digest)
    done = {verdict.check for verdict in promotion.verdicts}
    reason = f"the checks could not be run: {event.facts['error'][-2000:]}"
    for check in suite.checks:
        if check.name not in done:
            request = RecordVerdict(
                promotion=promotion.id,
                check=check.name,
                outcome="failed",
                reason=reason,
                data_digest="none",
            )
            if client.call(registry.record_verdict, request).state != "checking":
                return
