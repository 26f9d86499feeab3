"""Nobody judges their own work: whoever made a version or asked for it does not decide on it."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole
from mainspring.app import App
from mainspring.core.errors import Blocked
from mainspring.registry import contract
from mainspring.registry.contract import NameVersion, Promotion
from tests import story
from tests.house import Clients, local_client
from tests.story import MODEL


def stage_of(clients: Clients, number: int) -> str:
    request = NameVersion(model=MODEL, version=number)
    return clients.viewer.call(contract.show_version, request).stage


def give_everything(clients: Clients, person: str) -> None:
    """Make somebody a developer and an approver at once."""
    for role in ("developer", "approver"):
        clients.admin.call(administration.grant_role, GrantRole(person=person, role=role))


def refuses_its_party(clients: Clients, promotion: Promotion) -> None:
    with pytest.raises(Blocked, match="'paul' took part in making or asking for this"):
        story.approve(clients.approver, promotion.id)
    assert stage_of(clients, promotion.version) == "development"


def test_who_asked_may_not_approve(clients: Clients) -> None:
    give_everything(clients, "paul")
    story.declare(clients.developer)
    promotion = story.ask(clients.approver, story.version(clients.developer).number)
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


def test_who_registered_may_not_approve(clients: Clients) -> None:
    give_everything(clients, "paul")
    story.declare(clients.developer)
    number = story.register(clients.approver, story.train(clients.developer)[1])
    promotion = story.ask(clients.developer, number)
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


def test_who_trained_may_not_approve(clients: Clients) -> None:
    give_everything(clients, "paul")
    story.declare(clients.developer)
    number = story.register(clients.developer, story.train(clients.approver)[1])
    promotion = story.ask(clients.developer, number)
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


def test_for_whom_it_was_asked_may_not_approve(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.service, number, on_behalf_of=["paul"])
    story.say(clients.service, promotion.id)

    refuses_its_party(clients, promotion)


def test_a_party_may_not_reject_either(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.service, number, on_behalf_of=["paul"])

    with pytest.raises(Blocked):
        story.approve(clients.approver, promotion.id, "reject")


def test_a_service_may_not_approve_even_with_the_role(app: App, clients: Clients) -> None:
    story.declare(clients.developer)
    promotion = story.ask(clients.developer, story.version(clients.developer).number)
    story.say(clients.service, promotion.id)
    robot = local_client(app, app.token_of("service", "robot", "approver"))

    with pytest.raises(Blocked, match="only a person decides"):
        story.approve(robot, promotion.id)


def test_a_refused_approval_is_an_event(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.service, number, on_behalf_of=["paul"])
    story.say(clients.service, promotion.id)
    refuses_its_party(clients, promotion)

    (event,) = story.events(clients.viewer, kind="operation.refused")

    assert (event.actor, event.subject) == ("paul", "promotion.decide")
