"""Gates of the workspace: what every model, or a risk tier, has to pass beside its own suite."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Blocked, Conflict, Forbidden
from mainspring.core.operation import Client
from mainspring.registry import contract
from mainspring.registry import override_contract as breaking
from mainspring.registry.catalog_contract import (
    MoveVersion,
    RenameModel,
    delete_model,
    move_version,
    rename_model,
)
from mainspring.registry.contract import (
    DescribeModel,
    NameModel,
    NamePolicy,
    Promotion,
    ProposePolicy,
)
from mainspring.registry.gate_contract import DeclareGate, declare_gate
from mainspring.registry.promotion import RiskTier
from mainspring.registry.record import CheckSpec, SuiteRow
from tests import story
from tests.house import Clients
from tests.story import MODEL


def gate(clients: Clients, *checks: str, **more: Any) -> SuiteRow:
    """Ask something of every model."""
    specs = [CheckSpec(name=name, parameters=story.PARAMETERS.get(name, {})) for name in checks]
    return clients.admin.call(declare_gate, DeclareGate(checks=specs, **more))


def tier(client: Client, risk_tier: RiskTier) -> None:
    client.call(contract.describe_model, DescribeModel(model=MODEL, risk_tier=risk_tier))


def waiting(clients: Clients, **suite: Any) -> Promotion:
    """A version whose own suite has said yes."""
    story.declare(clients.developer, **suite)
    promotion = story.ask(clients.developer, story.version(clients.developer).number)
    return story.say(clients.service, promotion.id)


def test_a_model_without_a_suite_of_its_own_passes_the_gate_of_the_workspace(
    clients: Clients,
) -> None:
    gate(clients, "performance")
    number = story.version(clients.developer).number

    promotion = story.ask(clients.developer, number)
    assert promotion.missing == [
        "check 'performance' has not run yet",
        "0 of 1 approvals given",
    ]
    story.say(clients.service, promotion.id)

    assert story.approve(clients.approver, promotion.id).state == "promoted"


def test_both_have_to_be_passed_and_what_is_asked_twice_is_told_apart(clients: Clients) -> None:
    performance = CheckSpec(name="performance", parameters={"metric": "auc", "minimum": 0.9})
    request = DeclareGate(checks=[performance, CheckSpec(name="data")], approvals=2)
    clients.admin.call(declare_gate, request)

    promotion = waiting(clients)

    assert [(one.check, one.name, one.pending) for one in promotion.checks] == [
        ("performance", "performance", False),
        ("performance.2", "performance", True),
        ("data", "data", True),
    ]
    story.say(clients.service, promotion.id, "performance.2")
    story.say(clients.service, promotion.id, "data")
    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]
    assert story.approve(clients.second_approver, promotion.id).state == "promoted"


def test_a_failed_check_of_the_workspace_ends_the_request(clients: Clients) -> None:
    gate(clients, "data")
    promotion = waiting(clients)

    assert story.say(clients.service, promotion.id, "data", "failed").state == "failed"


def test_a_gate_is_for_the_models_of_its_tier(clients: Clients) -> None:
    gate(clients, "data", risk_tier="high")

    low = waiting(clients)
    assert [one.check for one in low.checks] == ["performance"]
    tier(clients.developer, "high")
    high = story.ask(clients.developer, story.version(clients.developer).number)

    assert [one.check for one in high.checks] == ["performance", "data"]


def test_checks_that_are_thought_of_after_the_training_are_for_the_next_one(
    clients: Clients,
) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    gate(clients, "data", approvals=2)

    promotion = story.ask(clients.developer, number)

    assert [one.check for one in promotion.checks] == ["performance"]
    story.say(clients.service, promotion.id)
    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]


def test_where_there_is_no_other_gate_one_that_came_too_late_names_both_times(
    clients: Clients,
) -> None:
    made = story.version(clients.developer)
    declared = gate(clients, "performance").recorded_at.isoformat()
    opened = story.run_of(clients.viewer, made.run).opened_at.isoformat()

    with pytest.raises(Blocked) as caught:
        story.ask(clients.developer, made.number)

    assert declared in str(caught.value.reasons)
    assert opened in str(caught.value.reasons)


def test_an_approval_is_void_when_the_workspace_asks_for_more(clients: Clients) -> None:
    promotion = waiting(clients, approvals=2)
    story.approve(clients.approver, promotion.id)
    gate(clients, approvals=1)

    found = story.approve(clients.second_approver, promotion.id)

    assert (found.state, found.missing) == ("waiting", ["1 of 2 approvals given"])


def test_lowering_the_tier_does_not_help_what_was_trained_before(clients: Clients) -> None:
    gate(clients, approvals=2, risk_tier="high")
    story.declare(clients.developer)
    story.version(clients.developer)
    tier(clients.developer, "high")
    number = story.version(clients.developer).number
    tier(clients.admin, "low")

    promotion = story.ask(clients.developer, number)
    story.say(clients.service, promotion.id)
    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]

    later = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, later.id)
    assert story.approve(clients.approver, later.id).state == "promoted"


def test_raising_the_tier_holds_for_what_is_there_already(clients: Clients) -> None:
    gate(clients, approvals=2, risk_tier="high")
    promotion = waiting(clients)
    tier(clients.developer, "high")

    assert story.approve(clients.approver, promotion.id).missing == ["1 of 2 approvals given"]


def test_no_version_is_moved_past_it(clients: Clients) -> None:
    gate(clients, "performance")
    number = story.version(clients.developer).number

    with pytest.raises(Blocked, match="enters production through its gate alone"):
        clients.developer.call(
            move_version, MoveVersion(model=MODEL, version=number, stage="production")
        )


def test_it_is_not_put_up_around_what_passed_none(clients: Clients) -> None:
    number = story.version(clients.developer).number
    request = MoveVersion(model=MODEL, version=number, stage="production")
    clients.developer.call(move_version, request)

    with pytest.raises(Conflict, match=f"{MODEL}@{number} is in production and has passed no gate"):
        gate(clients, "performance")
    gate(clients, "performance", risk_tier="high")


def test_only_an_administrator_declares_one(clients: Clients) -> None:
    for client in (clients.developer, clients.approver, clients.deployer, clients.service):
        with pytest.raises(Forbidden):
            client.call(declare_gate, DeclareGate(checks=[]))


def test_that_nobody_has_to_agree_a_party_cannot_have_declared(clients: Clients) -> None:
    gate(clients, "performance", approvals=0)
    made = story.version(clients.admin)
    promotion = story.ask(clients.developer, made.number)

    found = story.say(clients.service, promotion.id)

    assert (found.state, found.missing) == ("waiting", ["0 of 1 approvals given"])


def test_a_policy_does_not_speak_for_a_gate_that_came_later(clients: Clients) -> None:
    story.declare(clients.developer)
    clients.developer.call(contract.propose_policy, ProposePolicy(name="monthly", model=MODEL))
    clients.approver.call(contract.approve_policy, NamePolicy(policy="monthly"))
    gate(clients)
    number = story.version(clients.service).number
    story.owned(clients.developer)

    promotion = story.ask(clients.service, number, policy="monthly")

    assert story.say(clients.service, promotion.id).state == "waiting"
    assert "promotion.undecided" in story.kinds(clients.viewer)


def test_break_glass_is_as_short_as_the_strictest_allows(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    gate(clients, override_hours=2)
    number = story.version(clients.developer).number
    request = breaking.Override(model=MODEL, version=number, reason="the other one is broken")

    promotion = clients.deployer.call(breaking.override, request)

    assert (promotion.expires_at - promotion.recorded_at).total_seconds() == 2 * 3600


def test_a_suite_does_not_open_a_gate_of_the_workspace(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    gate(clients, approvals=2)
    story.declare(clients.admin, override_hours=100)
    number = story.version(clients.developer).number
    request = breaking.Override(model=MODEL, version=number, reason="the other one is broken")

    with pytest.raises(Blocked, match="gate of the workspace for 'production' allows no way past"):
        clients.deployer.call(breaking.override, request)


def test_a_tier_is_not_shed_with_the_name(clients: Clients) -> None:
    story.version(clients.developer)
    tier(clients.developer, "high")

    with pytest.raises(Forbidden, match="freeing the name of a model of the risk tier 'high'"):
        clients.developer.call(rename_model, RenameModel(model=MODEL, name="another"))
    with pytest.raises(Forbidden, match="freeing the name of a model of the risk tier 'high'"):
        clients.developer.call(delete_model, NameModel(model=MODEL))
    tier(clients.admin, "low")
    with pytest.raises(Forbidden, match="'high'"):
        clients.developer.call(delete_model, NameModel(model=MODEL))
    clients.admin.call(delete_model, NameModel(model=MODEL))
