"""Ways around the rules of the gate; see evasions.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mainspring.administration import contract as administration
from mainspring.administration import group_contract as groups
from mainspring.administration.contract import CreateToken
from mainspring.administration.group_contract import CreateGroup, GroupMember
from mainspring.core.operation import FileClient, Request
from mainspring.registry import (
    catalog_service,
    contract,
    desk,
    gate,
    override_service,
    promotion,
    promotion_service,
    standing_gate,
    suite_service,
    suites,
)
from mainspring.registry import override_contract as breaking
from mainspring.registry.catalog_contract import MoveVersion, RenameModel, move_version
from mainspring.registry.catalog_contract import rename_model as rename
from mainspring.registry.contract import DescribeModel, NamePolicy, ProposePolicy, RollBack
from mainspring.registry.gate_contract import DeclareGate, declare_gate
from mainspring.registry.record import CheckSpec
from mainspring.registry.store import RegistryStore
from tests import story
from tests.accounts import add, give, token_by
from tests.house import local_client
from tests.registry.evasions import (
    EVASIONS,
    Patch,
    Scene,
    approve,
    attempt,
    nobody_is_a_party,
    stopped_by,
)
from tests.story import MODEL

__all__ = ["EVASIONS"]


def suites_are_taken_as_they_are(patch: Patch) -> None:
    patch.setattr(desk, "replace", lambda found, **_: found)


@stopped_by(suites_are_taken_as_they_are)
def a_party_declares_that_nobody_has_to_agree(scene: Scene) -> None:
    scene.waiting(scene.clients.admin, approvals=0)


@stopped_by(lambda patch: patch.setattr(suite_service, "_held_to_approvers", lambda *_: None))
def a_developer_asks_for_no_approvals(scene: Scene) -> None:
    checks = [CheckSpec(name="performance", parameters=story.PARAMETERS["performance"])]
    request = contract.DeclareSuite(model=MODEL, checks=checks, approvals=0)
    attempt(scene.clients.developer, contract.declare_suite, request)
    if story.kinds(scene.clients.viewer)[-1] == "suite.declared":
        scene.asked(scene.clients.admin)


def suites_count_at_any_time(patch: Patch) -> None:
    def newest(suites_of_stage: Any, _: Any) -> Any:
        return max(suites_of_stage, key=lambda one: one.declared_at, default=None)

    patch.setattr(promotion, "applicable_suite", newest)
    patch.setattr(standing_gate, "applicable_suite", newest)


@stopped_by(suites_count_at_any_time)
def the_suite_is_fitted_to_what_was_trained(scene: Scene) -> None:
    number = story.version(scene.clients.developer).number
    story.declare(scene.clients.admin)
    asked = contract.RequestPromotion(model=MODEL, version=number)
    attempt(scene.clients.developer, contract.request_promotion, asked)
    for one in scene.clients.viewer.call(contract.list_promotions, contract.ListPromotions()):
        story.say(scene.clients.service, one.id)
        approve(scene.clients.approver, one.id)


def any_provenance(patch: Patch) -> None:
    patch.setattr(suites, "provenance_blockers", lambda *_: [])


@stopped_by(any_provenance)
def the_server_did_not_see_the_run(scene: Scene) -> None:
    story.declare(scene.clients.admin)
    _, trained = story.train(scene.clients.developer, attested=False)
    number = story.register(scene.clients.developer, trained)
    _go_the_way(scene, number)


@stopped_by(any_provenance)
def the_run_tells_no_code(scene: Scene) -> None:
    story.declare(scene.clients.admin)
    _, trained = story.train(scene.clients.developer, code={})
    _go_the_way(scene, story.register(scene.clients.developer, trained))


def _go_the_way(scene: Scene, number: int) -> None:
    request = contract.RequestPromotion(model=MODEL, version=number)
    attempt(scene.clients.developer, contract.request_promotion, request)
    for one in scene.clients.viewer.call(contract.list_promotions, contract.ListPromotions()):
        story.say(scene.clients.service, one.id)
        approve(scene.clients.approver, one.id)


@stopped_by(lambda patch: patch.setattr(catalog_service, "_refuse_move", lambda *_: None))
def a_version_is_moved_by_hand(scene: Scene) -> None:
    story.declare(scene.clients.admin)
    number = story.version(scene.clients.developer).number
    request = MoveVersion(model=MODEL, version=number, stage="production")
    attempt(scene.clients.developer, move_version, request)


@stopped_by(lambda patch: patch.setattr(catalog_service, "_refuse_gated", lambda *_: None))
def a_model_takes_another_name_and_back(scene: Scene) -> None:
    """Under another name no suite stands before production."""
    story.declare(scene.clients.admin)
    number = story.version(scene.clients.developer).number
    attempt(scene.clients.developer, rename, RenameModel(model=MODEL, name="free"))
    request = MoveVersion(model="free", version=number, stage="production")
    attempt(scene.clients.developer, move_version, request)
    attempt(scene.clients.developer, rename, RenameModel(model="free", name=MODEL))


@stopped_by(lambda patch: patch.setattr(desk, "tier_at", lambda tier, *_: tier))
def the_risk_tier_is_lowered_after_the_training(scene: Scene) -> None:
    strict = DeclareGate(checks=[], approvals=2, risk_tier="high")
    scene.clients.admin.call(declare_gate, strict)
    story.declare(scene.clients.admin)
    story.version(scene.clients.developer)
    high = DescribeModel(model=MODEL, risk_tier="high")
    scene.clients.admin.call(contract.describe_model, high)
    number = story.version(scene.clients.developer).number
    low = DescribeModel(model=MODEL, risk_tier="low")
    scene.clients.admin.call(contract.describe_model, low)
    found = story.ask(scene.clients.developer, number)
    approve(scene.clients.approver, story.say(scene.clients.service, found.id).id)


@stopped_by(nobody_is_a_party)
def a_policy_is_approved_by_who_proposed_it(scene: Scene) -> None:
    scene.both("paul")
    story.declare(scene.clients.admin)
    request = ProposePolicy(name="alone", model=MODEL)
    scene.clients.approver.call(contract.propose_policy, request)
    attempt(scene.clients.approver, contract.approve_policy, NamePolicy(policy="alone"))
    _ask_by_policy(scene, scene.clients.developer)


@stopped_by(nobody_is_a_party)
def a_policy_speaks_for_the_work_of_who_approved_it(scene: Scene) -> None:
    scene.both("paul")
    story.declare(scene.clients.admin)
    request = ProposePolicy(name="alone", model=MODEL)
    scene.clients.developer.call(contract.propose_policy, request)
    scene.clients.approver.call(contract.approve_policy, NamePolicy(policy="alone"))
    _ask_by_policy(scene, scene.clients.approver)


def _ask_by_policy(scene: Scene, author: FileClient) -> None:
    number = story.version(author).number
    request = contract.RequestPromotion(model=MODEL, version=number, policy="alone")
    attempt(author, contract.request_promotion, request)
    for one in scene.clients.viewer.call(contract.list_promotions, contract.ListPromotions()):
        story.say(scene.clients.service, one.id)


@stopped_by(lambda patch: patch.setattr(desk.Desk, "bound_to", lambda *_: "same"))
def a_check_speaks_again_after_the_approval(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer, approvals=2)
    approve(scene.clients.approver, asked)
    request = contract.RecordVerdict(
        promotion=asked,
        check="performance",
        outcome="passed",
        reason="on other rows",
        data_digest="sha256:other",
    )
    scene.clients.service.call(contract.record_verdict, request)
    approve(scene.clients.second_approver, asked)


@stopped_by(lambda patch: patch.setattr(RegistryStore, "passed_into", lambda *_: True))
def a_rollback_leads_where_it_never_was(scene: Scene) -> None:
    story.declare(scene.clients.admin)
    number = story.version(scene.clients.developer).number
    request = RollBack(model=MODEL, version=number, reason="it was better")
    attempt(scene.clients.deployer, contract.roll_back, request)


@stopped_by(lambda patch: patch.setattr(override_service, "refused_party", lambda *_: None))
def who_broke_the_glass_confirms_it(scene: Scene) -> None:
    """It is still there when the time to confirm it is over."""
    scene.both("ole")
    first = story.in_production(
        scene.clients.developer, scene.clients.service, scene.clients.approver
    )
    checks = [CheckSpec(name="performance", parameters=story.PARAMETERS["performance"])]
    allowed = contract.DeclareSuite(model=MODEL, checks=checks, override_hours=2)
    scene.clients.admin.call(contract.declare_suite, allowed)
    number = story.version(scene.clients.developer).number
    request = breaking.Override(model=MODEL, version=number, reason=f"{first.number} is broken")
    broken = scene.clients.deployer.call(breaking.override, request)
    confirm = breaking.Confirm(promotion=broken.id, reason="fine")
    attempt(scene.clients.deployer, breaking.confirm, confirm)
    scene.clock.advance(hours=3)
    scene.clients.service.call(contract.expire_promotions, Request())


def old_verdicts_count(patch: Patch) -> None:
    patch.setattr(promotion, "is_stale", lambda *_: False)


@stopped_by(old_verdicts_count)
def an_old_verdict_is_kept_for_later(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer, verdict_hours=24)
    scene.clock.advance(days=2)
    approve(scene.clients.approver, asked)


def gates_of_today_say_nothing(patch: Patch) -> None:
    def as_declared(applicable: Any, declared: Any, _: Any) -> gate.Gate:
        return gate.Gate(applicable, "same")

    patch.setattr(standing_gate, "gate_of", as_declared)


@stopped_by(gates_of_today_say_nothing)
def it_is_asked_for_before_the_workspace_asks_for_more(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.developer)
    scene.clients.admin.call(declare_gate, DeclareGate(checks=[], approvals=2))
    approve(scene.clients.approver, asked)


def roles_are_not_counted(patch: Patch) -> None:
    kept = promotion.approval_blockers

    def by_number(suite: Any, approvals: Any, bound_to: str) -> list[str]:
        return kept(replace(suite, approvers={}), approvals, bound_to)

    for place in (desk, promotion_service):
        patch.setattr(place, "approval_blockers", by_number)


@stopped_by(roles_are_not_counted)
def others_approve_than_those_who_are_asked_for(scene: Scene) -> None:
    scene.clients.admin.call(groups.create_group, CreateGroup(name="risk"))
    scene.clients.admin.call(groups.add_member, GroupMember(group="risk", person="petra"))
    approve(
        scene.clients.approver,
        scene.waiting(scene.clients.developer, approvers={"group:risk": 1}),
    )


@stopped_by(lambda patch: patch.setattr(desk, "given", lambda *_: None))
def a_party_signs_in_for_somebody_else(scene: Scene) -> None:
    asked = scene.waiting(scene.clients.admin)
    made = scene.clients.admin.call(administration.create_token, CreateToken(owner="petra"))
    approve(local_client(scene.app, made.token), asked)


def robots_are_nobodys(patch: Patch) -> None:
    patch.setattr(desk.Desk, "answering", lambda _, names: set(names))


@stopped_by(robots_are_nobodys)
def who_owns_a_robot_approves_its_work(scene: Scene) -> None:
    scene.both("dora")
    add(scene.clients)
    robot = local_client(scene.app, token_by(scene.clients.developer).token)
    approve(scene.clients.developer, scene.waiting(robot))


@stopped_by(robots_are_nobodys)
def who_owned_a_robot_approves_after_a_hand_over(scene: Scene) -> None:
    scene.both("dora")
    add(scene.clients)
    robot = local_client(scene.app, token_by(scene.clients.developer).token)
    asked = scene.waiting(robot)
    give(scene.clients, "paul")
    approve(scene.clients.developer, asked)


@stopped_by(robots_are_nobodys)
def one_person_approves_twice_by_a_robot(scene: Scene) -> None:
    add(scene.clients, "scanner", "paul")
    robot = local_client(scene.app, token_by(scene.clients.approver, "scanner").token)
    asked = scene.waiting(scene.clients.developer, approvals=2, services=["scanner"])
    approve(scene.clients.approver, asked)
    attempt(robot, contract.vouch, contract.Vouch(promotion=asked, reason="fine"))
