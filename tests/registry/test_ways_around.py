"""Ways around the gate that once succeeded; each is refused now."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Blocked, Conflict, Forbidden
from mainspring.registry import contract
from mainspring.registry.contract import NamePolicy, ProposePolicy
from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract
from tests import story
from tests.house import Clients
from tests.story import MODEL


def test_a_policy_does_not_speak_for_a_suite_that_came_later(clients: Clients) -> None:
    story.declare(clients.developer, "performance")
    clients.developer.call(contract.propose_policy, ProposePolicy(name="alone", model=MODEL))
    clients.approver.call(contract.approve_policy, NamePolicy(policy="alone"))
    story.declare(clients.developer, "data")
    number = story.version(clients.service).number
    story.owned(clients.developer)

    promotion = story.ask(clients.service, number, policy="alone")
    promotion = story.say(clients.service, promotion.id, check="data")

    assert promotion.state == "waiting"
    (event,) = story.events(clients.viewer, kind="promotion.undecided")
    assert "another suite" in event.facts["reasons"][0]


def test_a_run_that_goes_on_is_not_promoted(clients: Clients) -> None:
    story.declare(clients.developer)
    run = story.open_run(clients.developer)
    story.log_data(clients.developer, run, "training", "holdout")
    number = story.register(clients.developer, story.log_model(clients.developer, run))

    with pytest.raises(Blocked, match="recorded no end"):
        story.ask(clients.developer, number)


def test_nobody_writes_into_the_run_of_another(clients: Clients) -> None:
    run = story.open_run(clients.developer)

    with pytest.raises(Forbidden, match="may not write into it"):
        clients.admin.call(tracking.log_run, tracking.LogRun(run=run, params={"rate": "1"}))
    with pytest.raises(Forbidden, match="may not write into it"):
        clients.admin.call(tracking.finish_run, tracking.FinishRun(run=run))


def test_a_run_is_judged_by_one_hold_out(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    request = dataset_contract.LogDataset(
        run=run, name="rows", digest=f"sha256:{'0' * 64}", role="holdout", rows=1, columns=[]
    )
    clients.developer.call(dataset_contract.log_dataset, request)

    other = dataset_contract.LogDataset(
        run=run, name="rows", digest=f"sha256:{'1' * 64}", role="holdout", rows=1, columns=[]
    )
    with pytest.raises(Conflict, match="has a hold-out already"):
        clients.developer.call(dataset_contract.log_dataset, other)


def test_who_declared_that_nobody_has_to_agree_cannot_profit_from_it(clients: Clients) -> None:
    story.declare(clients.admin, "performance", approvals=0)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)

    promotion = story.say(clients.service, promotion.id, check="performance")

    assert (promotion.state, promotion.missing) == ("waiting", ["0 of 1 approvals given"])


def test_a_comparison_with_a_champion_that_is_gone_does_not_count(clients: Clients) -> None:
    story.declare(clients.developer, "performance")
    first, second = (story.version(clients.developer).number for _ in range(2))
    one, two = (story.ask(clients.developer, number) for number in (first, second))
    for promotion in (one, two):
        story.say(clients.service, promotion.id, check="performance")

    story.approve(clients.approver, one.id)
    promotion = story.approve(clients.approver, two.id)

    assert promotion.state == "failed"


def test_only_a_service_asks_for_others(clients: Clients) -> None:
    story.declare(clients.developer)

    with pytest.raises(Forbidden, match="only a service asks for others"):
        story.ask(clients.developer, story.version(clients.developer).number, on_behalf_of=["paul"])
