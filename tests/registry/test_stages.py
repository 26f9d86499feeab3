"""Stages of a workspace's own: declared, gated, entered, dropped; no name means two things."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid, NotFound
from mainspring.core.operation import Done
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract
from mainspring.registry.catalog_contract import LatestVersions, MoveVersion, move_version
from mainspring.registry.contract import NameModel, Resolve, RollBack, SetAlias
from mainspring.registry.protection_contract import ProtectAlias, protect_alias
from mainspring.registry.stage_contract import (
    DeclareStage,
    ListStages,
    NameStage,
    declare_stage,
    drop_stage,
    list_stages,
)
from tests import story
from tests.house import Clients
from tests.story import MODEL

CANARY = "canary"


def declared(clients: Clients) -> list[str]:
    request = DeclareStage(name=CANARY, description="a tenth of the traffic")
    return [stage.name for stage in clients.admin.call(declare_stage, request)]


def drop(clients: Clients) -> Done:
    return clients.admin.call(drop_stage, NameStage(name=CANARY))


def in_canary(clients: Clients) -> int:
    """A version that went there through its gate."""
    story.declare(clients.developer, stage=CANARY)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.developer, number, stage=CANARY)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    return number


def resolved(clients: Clients, reference: str) -> int:
    request = Resolve(model=MODEL, reference=reference)
    return clients.viewer.call(contract.resolve, request).version


def test_it_stands_between_those_that_every_workspace_has(clients: Clients) -> None:
    expected = ["development", "staging", "production", CANARY, "archived"]

    assert declared(clients) == expected
    stages = clients.viewer.call(list_stages, ListStages())
    assert [stage.gated for stage in stages] == [False, True, True, True, False]
    assert [stage.set_by for stage in stages] == [None, None, None, "ada", None]


def test_a_version_enters_it_through_its_gate(clients: Clients) -> None:
    declared(clients)

    number = in_canary(clients)

    assert resolved(clients, CANARY) == number
    latest = clients.viewer.call(catalog.latest_versions, LatestVersions(model=MODEL))
    assert [(one.version, one.stage) for one in latest] == [(number, CANARY)]
    other = story.version(clients.developer).number
    request = MoveVersion(model=MODEL, version=other, stage=CANARY)
    with pytest.raises(Blocked, match="enters canary through its gate alone"):
        clients.developer.call(move_version, request)


def test_one_version_is_in_it_and_the_one_before_can_come_back(clients: Clients) -> None:
    declared(clients)
    first, second = in_canary(clients), in_canary(clients)
    assert resolved(clients, CANARY) == second

    request = RollBack(model=MODEL, version=first, stage=CANARY, reason="better")
    clients.deployer.call(contract.roll_back, request)

    assert resolved(clients, CANARY) == first


def test_where_no_gate_stands_a_version_is_moved(clients: Clients) -> None:
    declared(clients)
    number = story.version(clients.developer).number
    request = MoveVersion(model=MODEL, version=number, stage=CANARY)

    assert clients.developer.call(move_version, request).stage == CANARY


@pytest.mark.parametrize("stage", ["canary", "development", "archived", "none"])
def test_a_stage_that_is_not_there_leads_nowhere(clients: Clients, stage: str) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number

    with pytest.raises(Invalid, match=f"no stage '{stage}'"):
        story.ask(clients.developer, number, stage=stage)
    with pytest.raises(Invalid, match=f"no stage '{stage}'"):
        story.declare(clients.developer, stage=stage)


def test_an_alias_follows_it(clients: Clients) -> None:
    declared(clients)
    clients.admin.call(protect_alias, ProtectAlias(alias="brave", stage=CANARY))

    number = in_canary(clients)

    assert resolved(clients, "brave") == number


def test_no_alias_is_called_like_it(clients: Clients) -> None:
    number = story.version(clients.developer).number
    alias = SetAlias(model=MODEL, alias=CANARY, version=number)
    clients.developer.call(contract.set_alias, alias)
    with pytest.raises(Conflict, match=f"{MODEL}@{number} has the alias 'canary'"):
        declared(clients)
    drop_alias = contract.DropAlias(model=MODEL, alias=CANARY)
    clients.developer.call(contract.drop_alias, drop_alias)

    declared(clients)

    with pytest.raises(Invalid, match="it is a stage here"):
        clients.developer.call(contract.set_alias, alias)
    with pytest.raises(Conflict, match="it is a stage here"):
        clients.admin.call(protect_alias, ProtectAlias(alias=CANARY))


@pytest.mark.parametrize("name", ["production", "latest", "none"])
def test_a_name_that_means_something_is_not_declared(clients: Clients, name: str) -> None:
    with pytest.raises(Invalid, match="is a stage or a reference in every workspace"):
        clients.admin.call(declare_stage, DeclareStage(name=name))


def test_it_is_dropped_when_nothing_is_in_it_or_on_its_way(clients: Clients) -> None:
    declared(clients)
    story.declare(clients.developer, stage=CANARY)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.developer, number, stage=CANARY)
    with pytest.raises(Conflict, match=f"promotion {promotion.id} is undecided"):
        drop(clients)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    with pytest.raises(Conflict, match=f"{MODEL}@{number} is in it"):
        drop(clients)
    request = MoveVersion(model=MODEL, version=number, stage="archived")
    clients.developer.call(move_version, request)

    assert drop(clients) == Done()

    with pytest.raises(NotFound, match="no stage 'canary' was declared"):
        drop(clients)
    assert clients.viewer.call(contract.show_model, NameModel(model=MODEL)).production is None


def test_only_administrators_declare_and_drop(clients: Clients) -> None:
    for client in (clients.developer, clients.approver, clients.service):
        with pytest.raises(Forbidden):
            client.call(declare_stage, DeclareStage(name=CANARY))
        with pytest.raises(Forbidden):
            client.call(drop_stage, NameStage(name=CANARY))


def test_a_workspace_has_a_bounded_number(clients: Clients) -> None:
    for number in range(20):
        clients.admin.call(declare_stage, DeclareStage(name=f"stage-{number}"))

    with pytest.raises(Conflict, match="at most 20 stages of its own"):
        declared(clients)
