"""The life of a promotion: requested, checked, approved by others than its parties, done."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole, NamePerson
from mainspring.core.errors import Blocked, Conflict, Invalid
from mainspring.core.operation import Request
from mainspring.registry import contract
from mainspring.registry.contract import (
    ListPromotions,
    NamePromotion,
    NameVersion,
    Promotion,
    RequestPromotion,
)
from tests import story
from tests.house import Clients, Clock
from tests.story import MODEL


def waiting(clients: Clients, *checks: str, approvals: int = 1) -> Promotion:
    """A promotion whose checks have passed."""
    names = checks or ("performance",)
    story.declare(clients.developer, *names, approvals=approvals)
    promotion = story.ask(clients.developer, story.version(clients.developer).number)
    return [story.say(clients.service, promotion.id, check) for check in names][-1]


def checking(clients: Clients) -> Promotion:
    """A promotion whose checks have not spoken."""
    story.declare(clients.developer)
    return story.ask(clients.developer, story.version(clients.developer).number)


def show(clients: Clients, promotion: Promotion) -> Promotion:
    request = NamePromotion(promotion=promotion.id)
    return clients.viewer.call(contract.show_promotion, request)


def stage_of(clients: Clients, number: int = 1) -> str:
    request = NameVersion(model=MODEL, version=number)
    return clients.viewer.call(contract.show_version, request).stage


def refusal(clients: Clients, number: int) -> Blocked:
    with pytest.raises(Blocked) as caught:
        story.ask(clients.developer, number)
    return caught.value


def test_a_request_waits_for_its_checks(clients: Clients) -> None:
    promotion = checking(clients)

    assert promotion.state == "checking"
    assert promotion.missing == [
        "check 'performance' has not run yet",
        "0 of 1 approvals given",
    ]


def test_passed_checks_wait_for_people(clients: Clients) -> None:
    promotion = waiting(clients)

    assert (promotion.state, promotion.missing) == ("waiting", ["0 of 1 approvals given"])


def test_an_approval_by_a_second_person_promotes(clients: Clients) -> None:
    promotion = story.approve(clients.approver, waiting(clients).id)

    assert (promotion.state, stage_of(clients)) == ("promoted", "production")


def test_a_failed_check_ends_the_request(clients: Clients) -> None:
    promotion = story.say(clients.service, checking(clients).id, outcome="failed")

    assert (promotion.state, stage_of(clients)) == ("failed", "development")


def test_too_little_data_ends_the_request(clients: Clients) -> None:
    promotion = story.say(clients.service, checking(clients).id, outcome="not_enough_data")

    assert promotion.state == "failed"


def test_one_of_two_verdicts_is_not_enough(clients: Clients) -> None:
    story.declare(clients.developer, "performance", "latency")
    promotion = story.ask(clients.developer, story.version(clients.developer).number)

    assert story.say(clients.service, promotion.id, "latency").state == "checking"


def test_a_verdict_of_a_check_that_was_not_asked_for_is_refused(clients: Clients) -> None:
    promotion = checking(clients)

    with pytest.raises(Invalid) as caught:
        story.say(clients.service, promotion.id, "data")
    assert caught.value.field == "check"


def test_a_rejection_ends_the_request(clients: Clients) -> None:
    promotion = story.approve(clients.approver, waiting(clients).id, "reject")

    assert (promotion.state, stage_of(clients)) == ("rejected", "development")


def test_a_request_can_be_rejected_while_its_checks_run(clients: Clients) -> None:
    assert story.approve(clients.approver, checking(clients).id, "reject").state == "rejected"


def test_a_request_cannot_be_approved_while_its_checks_run(clients: Clients) -> None:
    promotion = checking(clients)

    with pytest.raises(Conflict, match="still running"):
        story.approve(clients.approver, promotion.id)


def test_a_request_can_be_taken_back(clients: Clients) -> None:
    request = NamePromotion(promotion=waiting(clients).id)

    assert clients.developer.call(contract.withdraw, request).state == "withdrawn"


def test_what_is_decided_stays_decided(clients: Clients) -> None:
    promotion = story.approve(clients.approver, waiting(clients).id, "reject")

    with pytest.raises(Conflict, match="is rejected and cannot change"):
        story.approve(clients.second_approver, promotion.id)


def test_a_request_expires_after_two_weeks(clients: Clients, clock: Clock) -> None:
    promotion = waiting(clients)
    clock.advance(days=15)

    clients.service.call(contract.expire_promotions, Request())

    assert show(clients, promotion).state == "expired"


def test_an_overdue_request_cannot_be_approved_before_it_is_swept(
    clients: Clients, clock: Clock
) -> None:
    promotion = waiting(clients)
    clock.advance(days=15)

    with pytest.raises(Conflict, match="is expired"):
        story.approve(clients.approver, promotion.id)
    assert stage_of(clients) == "development"


def test_a_request_in_time_does_not_expire(clients: Clients, clock: Clock) -> None:
    promotion = waiting(clients)
    clock.advance(days=13)

    assert clients.service.call(contract.expire_promotions, Request()).count == 0
    assert show(clients, promotion).state == "waiting"


def test_asking_twice_answers_the_open_request(clients: Clients) -> None:
    first = checking(clients)

    assert story.ask(clients.developer, 1).id == first.id


def test_a_version_that_is_there_cannot_be_asked_for(clients: Clients) -> None:
    story.approve(clients.approver, waiting(clients).id)

    with pytest.raises(Conflict, match="is in production already"):
        story.ask(clients.developer, 1)


def test_a_rejected_version_may_be_asked_for_again(clients: Clients) -> None:
    first = story.approve(clients.approver, waiting(clients).id, "reject")

    again = story.ask(clients.developer, 1)

    assert (again.state, again.id == first.id) == ("checking", False)


def test_a_suite_after_training_does_not_count(clients: Clients) -> None:
    number = story.version(clients.developer).number
    story.declare(clients.developer)

    (reason,) = refusal(clients, number).reasons

    assert "which is not before run" in reason
    assert reason.count("T") >= 2, "both times are told"


def test_a_suite_declared_again_after_training_changes_nothing(clients: Clients) -> None:
    story.declare(clients.developer, "performance", "latency")
    number = story.version(clients.developer).number
    story.declare(clients.developer, "performance")

    missing = story.ask(clients.developer, number).missing

    assert "check 'latency' has not run yet" in missing


def test_an_undeclared_stage_is_closed(clients: Clients) -> None:
    number = story.version(clients.developer).number

    assert refusal(clients, number).reasons == ["no suite is declared for the stage 'production'"]


def test_an_unattested_run_is_refused(clients: Clients) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer, attested=False).number

    (reason,) = refusal(clients, number).reasons

    assert "is unattested" in reason


@pytest.mark.parametrize(
    ("lacking", "thing"), [({"code": {}}, "code"), ({"environment": {}}, "environment")]
)
def test_a_run_without_code_or_environment_is_refused(
    clients: Clients, lacking: dict[str, object], thing: str
) -> None:
    story.declare(clients.developer)
    made = story.version(clients.developer, **lacking)

    assert refusal(clients, made.number).reasons == [f"run {made.run} recorded no {thing}"]


def test_a_run_without_data_is_refused(clients: Clients) -> None:
    story.declare(clients.developer)
    run = story.open_run(clients.developer)
    number = story.register(clients.developer, story.log_model(clients.developer, run))
    story.finish(clients.developer, run)

    assert refusal(clients, number).reasons == [
        f"run {run} recorded no training data",
        f"run {run} recorded no hold-out data",
    ]


def test_a_refused_request_is_an_event(clients: Clients) -> None:
    refusal(clients, story.version(clients.developer).number)

    (event,) = story.events(clients.viewer, kind="operation.refused")

    assert (event.actor, event.subject, event.outcome) == ("dora", "promotion.request", "refused")
    assert event.facts["reasons"] == ["no suite is declared for the stage 'production'"]


def test_a_preview_lists_what_would_hold_it_back(clients: Clients) -> None:
    story.declare(clients.developer, approvals=2)
    number = story.version(clients.developer).number
    before = len(story.events(clients.viewer))

    request = RequestPromotion(model=MODEL, version=number)
    previewed = clients.viewer.call(contract.preview_promotion, request)

    assert previewed.missing == ["check 'performance' has not run yet", "0 of 2 approvals given"]
    assert len(story.events(clients.viewer)) == before


def test_promotions_are_listed_by_model_and_openness(clients: Clients) -> None:
    story.approve(clients.approver, waiting(clients).id, "reject")
    open_one = story.ask(clients.developer, 1)

    request = ListPromotions(model=MODEL, open=True)
    listed = clients.viewer.call(contract.list_promotions, request)

    assert [promotion.id for promotion in listed] == [open_one.id]


def test_two_approvals_need_two_people(clients: Clients) -> None:
    promotion = waiting(clients, approvals=2)
    story.approve(clients.approver, promotion.id)

    assert story.approve(clients.approver, promotion.id).state == "waiting"
    assert story.approve(clients.second_approver, promotion.id).state == "promoted"


def test_a_new_verdict_voids_the_approvals_before_it(clients: Clients) -> None:
    promotion = waiting(clients, "performance", "latency", approvals=2)
    story.approve(clients.approver, promotion.id)

    again = contract.RecordVerdict(
        promotion=promotion.id,
        check="latency",
        outcome="passed",
        reason="other rows",
        data_digest="sha256:other",
    )
    assert clients.service.call(contract.record_verdict, again).missing == [
        "0 of 2 approvals given"
    ]
    assert story.approve(clients.second_approver, promotion.id).state == "waiting"


def test_a_disabled_approver_no_longer_counts(clients: Clients) -> None:
    promotion = waiting(clients, approvals=2)
    story.approve(clients.approver, promotion.id)
    clients.admin.call(administration.disable_person, NamePerson(name="paul"))

    after = story.approve(clients.second_approver, promotion.id)

    assert (after.state, after.missing) == ("waiting", ["1 of 2 approvals given"])


def test_a_demoted_approver_no_longer_counts(clients: Clients) -> None:
    promotion = waiting(clients, approvals=2)
    story.approve(clients.approver, promotion.id)
    demotion = GrantRole(person="paul", role="approver")
    clients.admin.call(administration.revoke_role, demotion)

    assert story.approve(clients.second_approver, promotion.id).state == "waiting"


def test_what_another_promotion_brought_into_production_enters_no_other_stage(
    clients: Clients,
) -> None:
    story.declare(clients.developer)
    story.declare(clients.developer, stage="staging", approvals=0)
    number = story.version(clients.developer).number
    first = story.ask(clients.developer, number)
    second = story.ask(clients.developer, number, stage="staging")
    story.say(clients.service, first.id)
    story.approve(clients.approver, first.id)

    found = story.say(clients.service, second.id)

    assert found.state == "failed"
    told = story.events(clients.viewer, kind="promotion.failed")[0]
    assert told.facts["reasons"] == [
        f"{MODEL}@{number} is in production, which would be left empty"
    ]
