"""Who made what somebody signs in with can act in their name: a party does not approve that way."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import CreateToken, GrantRole, SetPassword
from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.errors import Blocked
from mainspring.core.ids import new_id
from mainspring.core.operation import Client, FileClient
from mainspring.registry import contract
from mainspring.registry.contract import Decide, Promotion
from tests import story
from tests.house import Clients

FIRST, SECOND = "correct horse battery", "staple of the second kind"
BY_A_PARTY = "may not be who decides: what they signed in with, 'ada' made"


def token_for(client: Client, owner: str) -> str:
    return client.call(administration.create_token, CreateToken(owner=owner)).token


def waiting(clients: Clients) -> Promotion:
    """What Ada trained and asked for."""
    story.declare(clients.developer)
    promotion = story.ask(clients.admin, story.version(clients.admin).number)
    return story.say(clients.service, promotion.id)


def set_password(client: Client, password: str, old: str | None = None) -> None:
    request = SetPassword(person="petra", password=password, old_password=old)
    client.call(administration.set_password, request)


def approve_by_password(app: App, promotion: Promotion, password: str) -> Promotion:
    """Petra approves, or somebody who knows her password."""
    caller = Caller(
        token="",
        workspace="default",
        request_id=new_id(),
        person="petra",
        proof=asyncio.run(app.sign_in.prove("petra", password, "127.0.0.1")),
    )
    return app.run(contract.decide, Decide(promotion=promotion.id, reason="fine"), caller)


def test_a_token_from_the_hand_of_a_party_approves_nothing(clients: Clients) -> None:
    promotion = waiting(clients)
    seeming = clients.signed_in(token_for(clients.admin, "petra"))

    with pytest.raises(Blocked, match=BY_A_PARTY):
        story.approve(seeming, promotion.id)
    assert story.approve(clients.second_approver, promotion.id).state == "promoted"


def test_nor_does_one_that_was_made_with_it(clients: Clients) -> None:
    request = GrantRole(person="petra", role="admin")
    clients.admin.call(administration.grant_role, request)
    promotion = waiting(clients)
    seeming = clients.signed_in(token_for(clients.admin, "petra"))
    exchanged = clients.signed_in(token_for(seeming, "petra"))

    with pytest.raises(Blocked, match=BY_A_PARTY):
        story.approve(exchanged, promotion.id)
    own: FileClient = clients.signed_in(token_for(clients.second_approver, "petra"))
    assert story.approve(own, promotion.id).state == "promoted"


def test_a_token_that_was_made_before_the_training_approves(clients: Clients) -> None:
    hers = clients.signed_in(token_for(clients.admin, "petra"))
    promotion = waiting(clients)

    assert story.approve(hers, promotion.id).state == "promoted"


def test_a_password_from_the_hand_of_a_party_approves_nothing(app: App, clients: Clients) -> None:
    promotion = waiting(clients)
    set_password(clients.admin, FIRST)

    with pytest.raises(Blocked, match=BY_A_PARTY):
        approve_by_password(app, promotion, FIRST)
    # Changed with the one that the party knows, it is no better.
    set_password(clients.second_approver, SECOND, FIRST)
    with pytest.raises(Blocked, match=BY_A_PARTY):
        approve_by_password(app, promotion, SECOND)


def test_a_password_that_was_set_before_the_training_approves(app: App, clients: Clients) -> None:
    set_password(clients.admin, FIRST)
    promotion = waiting(clients)

    assert approve_by_password(app, promotion, FIRST).state == "promoted"
