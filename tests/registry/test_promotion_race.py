"""Promotions that several people move at the same time."""

from __future__ import annotations

from sqlalchemy import text

from mainspring.app import App
from mainspring.core.errors import Conflict, MainspringError
from mainspring.registry import contract
from mainspring.registry.contract import (
    ListPromotions,
    NamePromotion,
    Promotion,
)
from tests import story
from tests.house import Clients, at_once, local_client
from tests.registry.test_promotion_service import waiting
from tests.story import MODEL

ROUNDS = 8
"""How often a race is run: it is lost now and then alone."""


def test_approvals_at_once_promote_once(app: App, tokens: dict[str, str]) -> None:
    people = Clients(lambda name: local_client(app, tokens[name]))
    promotion = waiting(people)

    answers = at_once(
        *(
            lambda name=name: story.approve(local_client(app, tokens[name]), promotion.id)
            for name in ("paul", "petra") * 4
        )
    )

    done = [answer for answer in answers if not isinstance(answer, Exception)]
    assert [one.state for one in done] == ["promoted"]
    assert all(isinstance(answer, Conflict) for answer in answers if answer not in done)
    assert story.kinds(people.viewer).count("version.promoted") == 1


def test_requests_at_once_open_one_promotion(app: App, tokens: dict[str, str]) -> None:
    people = Clients(lambda name: local_client(app, tokens[name]))
    story.declare(people.developer)
    number = story.version(people.developer).number

    answers = at_once(*[lambda: story.ask(people.developer, number)] * 8)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert len(people.viewer.call(contract.list_promotions, ListPromotions())) == 1


def test_promotions_and_rollbacks_at_once_leave_one_version_in_production(
    app: App, tokens: dict[str, str]
) -> None:
    people = Clients(lambda name: local_client(app, tokens[name]))
    story.in_production(people.developer, people.service, people.approver)
    story.in_production(people.developer, people.service, people.approver)
    third = story.ask(people.developer, story.version(people.developer).number)
    story.say(people.service, third.id)
    back = contract.RollBack(model=MODEL, version=1, reason="it was better")

    answers = at_once(
        lambda: story.approve(people.approver, third.id),
        lambda: people.deployer.call(contract.roll_back, back),
    )

    assert not [one for one in answers if isinstance(one, MainspringError | AssertionError)]
    with app.database.read() as connection:
        staged = text("select count(*) from version where stage = 'production'")
        assert connection.execute(staged).scalar() == 1


def test_what_is_withdrawn_while_it_is_approved_is_one_of_both(
    app: App, tokens: dict[str, str]
) -> None:
    """Each of the two has read that it is open when the other writes, unless one waits."""
    people = Clients(lambda name: local_client(app, tokens[name]))
    story.declare(people.developer)
    for _ in range(ROUNDS):
        promotion = story.ask(people.developer, story.version(people.developer).number)
        story.say(people.service, promotion.id)
        named = NamePromotion(promotion=promotion.id)

        answers = at_once(
            lambda: people.developer.call(contract.withdraw, named),  # noqa: B023
            lambda: story.approve(people.approver, promotion.id),  # noqa: B023
        )

        events = story.kinds(people.viewer, subject=promotion.id)
        assert sum(isinstance(answer, Promotion) for answer in answers) == 1
        assert len({"promotion.withdrawn", "promotion.approved"} & set(events)) == 1
