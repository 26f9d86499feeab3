"""Models and versions, on both databases and both clients."""

from __future__ import annotations

from tests import story
from tests.house import Clients


def test_a_version_gets_to_production_by_its_gate(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    promotion = story.ask(clients.developer, number)
    assert promotion.state == "checking"

    assert story.say(clients.service, promotion.id).state == "waiting"
    assert story.approve(clients.approver, promotion.id).state == "promoted"
