"""No version that passed no gate gets into a stage that has one, in whatever order of calls."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.registry import catalog_contract as contract
from mainspring.registry import contract as registry
from mainspring.registry.catalog_contract import MoveVersion
from mainspring.registry.contract import NameModel, RequestPromotion, RollBack, SetAlias
from tests import story
from tests.house import Clients
from tests.registry.catalog import add, create, delete, move, rename
from tests.story import MODEL


def test_into_a_gated_stage_only_a_promotion_leads(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)

    with pytest.raises(Blocked) as caught:
        move(clients.developer, 1, "production")

    assert caught.value.reasons == [
        "no promotion was asked for",
        "check 'performance' has not run yet",
        "0 of 1 approvals given",
    ]
    assert caught.value.fix == f"mainspring promote {MODEL}@1 --to production"


def test_the_refusal_tells_what_an_open_promotion_lacks(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)
    story.say(clients.service, story.ask(clients.developer, 1).id)

    with pytest.raises(Blocked) as caught:
        move(clients.developer, 1, "production")
    assert caught.value.reasons == ["0 of 1 approvals given"]


def test_the_refusal_tells_what_the_run_lacks(clients: Clients) -> None:
    story.declare(clients.developer)
    create(clients.developer)
    add(clients.developer)

    with pytest.raises(Blocked) as caught:
        move(clients.developer, 1, "production")
    assert caught.value.reasons == [
        "its files are not kept here, or are not those of the run it names",
        "the version has no tracked run behind it",
    ]


def test_a_gate_of_one_stage_is_none_of_another(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)

    assert move(clients.developer, 1, "staging").stage == "staging"


def test_what_went_in_through_the_gate_does_not_leave_production(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)

    for stage in ("archived", "staging", "development"):
        with pytest.raises(Blocked, match="may not leave production"):
            move(clients.developer, 1, stage)
    with pytest.raises(Blocked, match="cannot be deleted"):
        delete(clients.developer, 1)
    with pytest.raises(Blocked, match="cannot be deleted"):
        clients.developer.call(contract.delete_model, NameModel(model=MODEL))


def test_a_gate_is_not_put_up_behind_what_is_in(clients: Clients) -> None:
    story.version(clients.developer)
    move(clients.developer, 1, "production")

    with pytest.raises(Conflict, match="has passed no gate") as caught:
        story.declare(clients.developer)
    assert caught.value.field == "stage"

    move(clients.developer, 1, "archived")
    story.declare(clients.developer)


def test_who_was_in_before_the_gate_does_not_return(clients: Clients) -> None:
    story.version(clients.developer)
    move(clients.developer, 1, "production")
    move(clients.developer, 1, "archived")
    story.declare(clients.developer)

    request = RollBack(model=MODEL, version=1, reason="it was there")
    with pytest.raises(Blocked, match="through its gate"):
        clients.deployer.call(registry.roll_back, request)


def test_a_name_does_not_shed_its_gate(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)

    with pytest.raises(Blocked, match="a suite for 'production' is declared"):
        rename(clients.developer, MODEL, "other")


def test_a_model_does_not_walk_under_a_gate(clients: Clients) -> None:
    story.declare(clients.developer)
    create(clients.developer, "other")
    add(clients.developer, "other")
    request = MoveVersion(model="other", version=1, stage="production")
    clients.developer.call(contract.move_version, request)

    with pytest.raises(Blocked, match="a suite for 'production' is declared"):
        rename(clients.developer, "other", MODEL)


def test_a_policy_keeps_its_model(clients: Clients) -> None:
    create(clients.developer)
    request = registry.ProposePolicy(name="monthly", model=MODEL)
    clients.developer.call(registry.propose_policy, request)

    with pytest.raises(Blocked, match="policy 'monthly'"):
        rename(clients.developer, MODEL, "other")


def test_a_model_that_is_made_again_is_gated_as_before(clients: Clients) -> None:
    story.declare(clients.developer)
    create(clients.developer)
    add(clients.developer)
    clients.developer.call(contract.delete_model, NameModel(model=MODEL))
    create(clients.developer)
    add(clients.developer)

    with pytest.raises(Blocked, match="through its gate alone"):
        move(clients.developer, 1, "production")


@pytest.mark.parametrize("alias", ["production", "Staging", "3", "v3", "V3", "latest"])
def test_no_alias_reads_as_a_stage_or_version(clients: Clients, alias: str) -> None:
    create(clients.developer)
    add(clients.developer)

    with pytest.raises(Invalid) as caught:
        clients.developer.call(registry.set_alias, SetAlias(model=MODEL, alias=alias, version=1))
    assert caught.value.field == "alias"


def test_what_is_open_is_not_deleted(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)
    promotion = story.ask(clients.developer, 1).id

    with pytest.raises(Blocked, match="is open"):
        delete(clients.developer, 1)
    clients.developer.call(registry.withdraw, registry.NamePromotion(promotion=promotion))
    delete(clients.developer, 1)


def test_a_deleted_version_is_not_promoted(clients: Clients) -> None:
    story.declare(clients.developer)
    story.version(clients.developer)
    delete(clients.developer, 1)

    request = RequestPromotion(model=MODEL, version=1)
    with pytest.raises(NotFound, match="no version 1"):
        clients.developer.call(registry.request_promotion, request)


def test_its_aliases_may_be_called_like_stages(clients: Clients) -> None:
    create(clients.developer, kind="prompt")
    add(clients.developer, source="text", place=f"runs/{new_id()}")

    request = SetAlias(model=MODEL, alias="production", version=1)
    assert clients.developer.call(registry.set_alias, request).aliases == {"production": 1}
    asked = registry.DropAlias(model=MODEL, alias="production")
    assert clients.viewer.call(contract.show_alias, asked).version == 1


def test_it_has_no_stages_and_no_suites(clients: Clients) -> None:
    create(clients.developer, kind="prompt")
    add(clients.developer)

    with pytest.raises(Conflict, match="prompts have no stages"):
        move(clients.developer, 1, "production")
    with pytest.raises(Conflict, match="prompts have no stages"):
        story.declare(clients.developer)


def test_it_gets_no_name_that_has_a_gate(clients: Clients) -> None:
    story.declare(clients.developer)

    with pytest.raises(Blocked, match="name of a prompt"):
        create(clients.developer, kind="prompt")


def test_no_trained_model_becomes_a_version_of_it(clients: Clients) -> None:
    create(clients.developer, kind="prompt")

    with pytest.raises(Conflict, match="is a prompt"):
        story.version(clients.developer)
