"""A protected alias names what is in a stage, and moves with promotions alone, from every door."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Blocked, Conflict, NotFound
from mainspring.registry import contract
from mainspring.registry.contract import DropAlias, NameModel, RollBack, SetAlias
from mainspring.registry.protection_contract import (
    ListProtected,
    ProtectAlias,
    UnprotectAlias,
    list_protected,
    protect_alias,
    unprotect_alias,
)
from tests import story
from tests.house import Clients
from tests.story import MODEL


def protect(clients: Clients) -> None:
    clients.admin.call(protect_alias, ProtectAlias(alias="champion"))


def aliases(clients: Clients) -> dict[str, int]:
    return clients.viewer.call(contract.show_model, NameModel(model=MODEL)).aliases


def test_it_follows_promotions_and_rollbacks(clients: Clients) -> None:
    protect(clients)
    for number in (1, 2):
        story.in_production(clients.developer, clients.service, clients.approver)
        assert aliases(clients) == {"champion": number}

    clients.deployer.call(contract.roll_back, RollBack(model=MODEL, version=1, reason="better"))

    assert aliases(clients) == {"champion": 1}


def test_nobody_sets_or_drops_it(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    story.version(clients.developer)
    protect(clients)

    for client in (clients.developer, clients.admin):
        with pytest.raises(Blocked, match="moves with a promotion alone") as caught:
            client.call(contract.set_alias, SetAlias(model=MODEL, alias="champion", version=2))
        assert "mainspring promote" in str(caught.value.fix)
        with pytest.raises(Blocked):
            client.call(contract.drop_alias, DropAlias(model=MODEL, alias="champion"))
    assert aliases(clients) == {"champion": 1}


def test_what_is_in_the_stage_already_gets_it_at_once(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)

    protect(clients)

    assert aliases(clients) == {"champion": 1}


def test_an_alias_that_says_something_else_is_not_taken_over(clients: Clients) -> None:
    story.version(clients.developer)
    request = SetAlias(model=MODEL, alias="champion", version=1)
    clients.developer.call(contract.set_alias, request)

    with pytest.raises(Conflict, match=f"points at {MODEL}@1"):
        protect(clients)
    assert clients.viewer.call(list_protected, ListProtected()) == []


def test_it_is_set_by_hand_again_once_it_is_free(clients: Clients) -> None:
    story.version(clients.developer)
    protect(clients)
    clients.admin.call(unprotect_alias, UnprotectAlias(alias="champion"))

    clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias="champion", version=1))

    assert aliases(clients) == {"champion": 1}
    with pytest.raises(NotFound):
        clients.admin.call(unprotect_alias, UnprotectAlias(alias="champion"))
