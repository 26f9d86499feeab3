"""Whatever several people do in whatever order, nothing enters production past an unmet gate."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mainspring.administration import contract as administration
from mainspring.administration.contract import GrantRole
from mainspring.app import App
from mainspring.core.errors import MainspringError
from mainspring.core.operation import Operation, Request
from mainspring.core.settings import Settings
from mainspring.registry import contract
from mainspring.registry import override_contract as breaking
from mainspring.registry.contract import (
    DescribeModel,
    ListModels,
    ListPromotions,
    ListVersions,
    NamePolicy,
    NamePromotion,
    NameVersion,
    ProposePolicy,
    RollBack,
)
from mainspring.registry.gate_contract import DeclareGate, ListGates, declare_gate, list_gates
from mainspring.registry.promotion import RiskTier
from mainspring.registry.record import CheckSpec, Lineage
from mainspring.registry.standing_contract import Judge, block, revoke, unblock
from tests import story
from tests.conftest import PostgresHouse, Template
from tests.house import Clients, Clock, at_once, local_client
from tests.story import MODEL

NAMES = ["ada", "dora", "paul", "petra"]
PEOPLE = some.sampled_from(NAMES)
FOUR = some.permutations(NAMES) | some.lists(PEOPLE, min_size=4, max_size=4)
PLACES = some.integers(0, 2)
MOSTLY = some.integers(0, 7).map(bool)
"""True seven times out of eight: what is never right is never far on its way."""
POLICIES = some.sampled_from(["first", "second"])
NO_POLICY = some.none() | POLICIES
HOUSE: list[Template | PostgresHouse] = []
"""The database that each example begins with."""
DECISIONS = some.sampled_from(["ask", "decide", "say_all", "withdraw", "change_role", "roll_back"])


class Gate(RuleBasedStateMachine):
    """People who may do everything try everything; production is looked at after each step."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        house = HOUSE[0]
        if isinstance(house, Template):
            shutil.copy(house.place, home / "mainspring.db")
            settings = Settings(home=home)
        else:
            settings = replace(house.settings, home=home)
        self.clock = Clock()
        self.app = App(settings, self.clock)
        self.tokens = house.tokens
        self.people = Clients(lambda name: local_client(self.app, self.tokens[name]))
        self.trained: list[str] = []

    def teardown(self) -> None:
        self.app.close()
        self._folder.cleanup()
        if isinstance(HOUSE[0], PostgresHouse):
            HOUSE[0].restore()

    def attempt(self, who: str, operation: Operation[Any, Any], request: Any) -> None:
        """Try; being refused is fine."""
        with contextlib.suppress(MainspringError):
            local_client(self.app, self.tokens[who]).call(operation, request)

    def newest(self, place: int) -> list[str]:
        """The id of one of the newest promotions that are open, if there is one."""
        listed = [one.id for one in self.promotions() if one.state in ("checking", "waiting")]
        return listed[place % len(listed) :][:1] if listed else []

    def promotions(self) -> list[contract.Promotion]:
        return self.people.admin.call(contract.list_promotions, ListPromotions(limit=1000))

    @initialize(four=FOUR)
    def everybody_may_everything(self, four: list[str]) -> None:
        for person in ("dora", "paul", "petra"):
            for role in ("developer", "approver", "deployer"):
                request = GrantRole(person=person, role=role)
                self.people.admin.call(administration.grant_role, request)
        story.declare(self.people.developer)
        self.propose(four[0], "first")
        self.approve_policy(four[1], "first", keep=True)

    @rule(
        who=PEOPLE,
        approvals=some.integers(1, 2),
        late=some.booleans(),
        override_hours=some.none() | some.just(12),
    )
    def declare(self, who: str, approvals: int, override_hours: int | None, *, late: bool) -> None:
        checks = ["performance", "latency"] if late else ["performance"]
        client = local_client(self.app, self.tokens[who])
        with contextlib.suppress(MainspringError):
            story.declare(client, *checks, approvals=approvals, override_hours=override_hours)

    @precondition(lambda self: len(self.trained) < 3)
    @rule(who=PEOPLE, registrar=PEOPLE, attested=MOSTLY, complete=MOSTLY)
    def train(self, who: str, registrar: str, *, attested: bool, complete: bool) -> None:
        more: dict[str, Any] = {} if complete else {"code": {}}
        client = local_client(self.app, self.tokens[who])
        _, trained = story.train(client, attested=attested, **more)
        story.register(local_client(self.app, self.tokens[registrar]), trained)
        self.trained.append(trained)

    @precondition(lambda self: len(self.trained) < 3)
    @rule(four=FOUR, policy=NO_POLICY)
    def bring(self, four: list[str], policy: str | None) -> None:
        # The way as it should be: alone, the single steps seldom come in this order.
        author, registrar, asker, decider = four
        self.train(author, registrar, attested=True, complete=True)
        self.ask(asker, len(self.trained) - 1, policy)
        self.say_all(0)
        self.decide(decider, 0, yes=True)

    @precondition(lambda self: self.trained)
    @rule(who=PEOPLE, place=PLACES, policy=some.none() | POLICIES)
    def ask(self, who: str, place: int, policy: str | None) -> None:
        number = 1 + place % len(self.trained)
        request = contract.RequestPromotion(model=MODEL, version=number, policy=policy)
        self.attempt(who, contract.request_promotion, request)

    @rule(place=PLACES, check=some.sampled_from(["performance", "latency"]), passed=MOSTLY)
    def say(self, place: int, check: str, *, passed: bool) -> None:
        for promotion in self.newest(place):
            with contextlib.suppress(MainspringError):
                story.say(self.people.service, promotion, check, "passed" if passed else "failed")

    @rule(place=PLACES)
    def say_all(self, place: int) -> None:
        for check in ("latency", "performance"):
            self.say(place, check, passed=True)

    @rule(who=PEOPLE, place=PLACES, yes=MOSTLY)
    def decide(self, who: str, place: int, *, yes: bool) -> None:
        for promotion in self.newest(place):
            decision: Literal["approve", "reject"] = "approve" if yes else "reject"
            request = contract.Decide(promotion=promotion, decision=decision, reason="seen")
            self.attempt(who, contract.decide, request)

    @rule(who=PEOPLE, place=PLACES, really=some.integers(0, 7))
    def withdraw(self, who: str, place: int, really: int) -> None:
        for promotion in self.newest(place)[really:]:
            self.attempt(who, contract.withdraw, NamePromotion(promotion=promotion))

    @precondition(lambda self: self.trained)
    @rule(who=PEOPLE, place=PLACES)
    def roll_back(self, who: str, place: int) -> None:
        request = RollBack(model=MODEL, version=1 + place % len(self.trained), reason="try")
        self.attempt(who, contract.roll_back, request)

    @precondition(lambda self: self.trained)
    @rule(who=PEOPLE, place=PLACES)
    def override(self, who: str, place: int) -> None:
        number = 1 + place % len(self.trained)
        request = breaking.Override(model=MODEL, version=number, reason="now")
        self.attempt(who, breaking.override, request)

    @rule(who=PEOPLE)
    def confirm(self, who: str) -> None:
        for promotion in [one.id for one in self.promotions() if one.state == "overridden"]:
            request = breaking.Confirm(promotion=promotion, reason="fine")
            self.attempt(who, breaking.confirm, request)

    @precondition(lambda self: self.trained)
    @rule(who=PEOPLE, place=PLACES, way=some.sampled_from([block, unblock, unblock, revoke]))
    def judge(self, who: str, place: int, way: Operation[Any, Any]) -> None:
        number = 1 + place % len(self.trained)
        self.attempt(who, way, Judge(model=MODEL, version=number, reason="seen"))

    @rule(who=PEOPLE, name=POLICIES)
    def propose(self, who: str, name: str) -> None:
        request = ProposePolicy(name=name, model=MODEL, days=3, max_promotions=1)
        self.attempt(who, contract.propose_policy, request)

    @rule(who=PEOPLE, name=POLICIES, keep=MOSTLY)
    def approve_policy(self, who: str, name: str, *, keep: bool) -> None:
        operation = contract.approve_policy if keep else contract.revoke_policy
        self.attempt(who, operation, NamePolicy(policy=name))

    @precondition(lambda self: self.trained)
    @rule(who=PEOPLE, tier=some.sampled_from(["low", "high"]))
    def describe(self, who: str, tier: RiskTier) -> None:
        self.attempt(who, contract.describe_model, DescribeModel(model=MODEL, risk_tier=tier))

    @rule(who=some.sampled_from(["dora", "paul", "petra"]), give=MOSTLY)
    def change_role(self, who: str, *, give: bool) -> None:
        operation = administration.grant_role if give else administration.revoke_role
        self.attempt("ada", operation, GrantRole(person=who, role="approver"))

    @rule(days=some.sampled_from([0, 0, 1, 20]))
    def wait(self, days: int) -> None:
        self.clock.advance(days=days)
        self.people.service.call(contract.expire_promotions, Request())

    @precondition(lambda self: self.trained)
    @rule(whos=some.lists(PEOPLE, min_size=2, max_size=4), ways=some.lists(DECISIONS, min_size=4))
    def at_the_same_time(self, whos: list[str], ways: list[str]) -> None:
        """Several people act at once: what one of them read may be no more when they write."""
        acts: dict[str, Callable[[str], None]] = {
            "ask": lambda who: self.ask(who, len(self.trained) - 1, None),
            "decide": lambda who: self.decide(who, 0, yes=True),
            "say_all": lambda _: self.say_all(0),
            "withdraw": lambda who: self.withdraw(who, 0, 0),
            "change_role": lambda who: self.change_role(who, give=False),
            "roll_back": lambda who: self.roll_back(who, 0),
        }
        for found in at_once(
            *(partial(acts[way], who) for who, way in zip(whos, ways, strict=False))
        ):
            assert found is None, found

    @precondition(lambda self: self.trained)
    @rule(deciders=some.permutations(["ada", "paul", "petra"]), policy=NO_POLICY)
    def bring_while_others_act(self, deciders: list[str], policy: str | None) -> None:
        """A promotion that could just be granted, while its approvers are looked at and taken away."""
        self.ask("dora", len(self.trained) - 1, policy)
        self.say_all(0)
        first, second, gone = deciders
        at_once(
            lambda: self.decide(first, 0, yes=True),
            lambda: self.decide(second, 0, yes=True),
            lambda: self.change_role(gone, give=False),
            lambda: self.withdraw("dora", 0, 0),
        )
        withdrawn = story.events(self.people.admin, kind="promotion.withdrawn")
        promoted = story.events(self.people.admin, kind="version.promoted")
        both = {one.subject for one in withdrawn} & {one.facts["promotion"] for one in promoted}
        assert not both, "taken back, and promoted all the same"

    @rule(who=PEOPLE, approvals=some.integers(0, 2), hours=some.none() | some.just(24))
    def ask_of_every_model(self, who: str, approvals: int, hours: int | None) -> None:
        checks = [CheckSpec(name="latency", parameters=story.PARAMETERS["latency"])]
        request = DeclareGate(checks=checks, approvals=approvals, verdict_hours=hours)
        self.attempt(who, declare_gate, request)

    @invariant()
    def production_has_passed_its_gate(self) -> None:
        staged = self.staged()
        assert len(staged) <= 1
        for number in staged:
            request = NameVersion(model=MODEL, version=number)
            self.look(self.people.admin.call(contract.show_lineage, request))

    def staged(self) -> list[int]:
        """The versions in production."""
        if not self.trained:
            return []
        listed = self.people.admin.call(contract.list_versions, ListVersions(model=MODEL))
        return [version.version for version in listed if version.stage == "production"]

    def look(self, lineage: Lineage) -> None:
        """What is in production has a complete run, passed checks, and others who approved it.

        Or somebody broke the glass, and a second person, no party to it, stands by that in time.
        """
        mine = [one for one in self.promotions() if one.version == lineage.version]
        for promotion in mine:
            if promotion.state == "confirmed":
                self.look_at_confirmed(promotion, lineage)
                return
            if promotion.state == "overridden":
                # Its time runs out with a sweep, and `wait` sweeps.
                assert self.clock() < promotion.expires_at
                assert self.allowed_to_break(promotion)
                return
        passed = [promotion for promotion in mine if promotion.state == "promoted"]
        assert passed, "it came there without a promotion"
        assert lineage.code, "it came there without code"
        assert lineage.run_opened_at is not None
        assert lineage.run is not None
        assert story.run_of(self.people.admin, lineage.run).attested
        for promotion in passed:
            self.look_at(promotion, lineage)

    def allowed_to_break(self, promotion: contract.Promotion) -> bool:
        """Whether the suite that stood when it happened allows it."""
        suites = self.people.admin.call(contract.list_suites, contract.NameModel(model=MODEL))
        stood = [one for one in suites if one.recorded_at <= promotion.recorded_at]
        return stood[0].override_hours is not None

    def look_at_confirmed(self, promotion: contract.Promotion, lineage: Lineage) -> None:
        """One that was broken and confirmed: by somebody else than all who took part."""
        people = {one.person for one in promotion.approvals if one.decision == "confirm"}
        parties = {promotion.requested_by, lineage.registered_by, lineage.run_author}
        assert people
        assert not people & parties
        assert self.allowed_to_break(promotion)

    def look_at(self, promotion: contract.Promotion, lineage: Lineage) -> None:
        """One promotion that was granted: by the rules, worked out here a second time."""
        suites = self.people.admin.call(contract.list_suites, contract.NameModel(model=MODEL))
        gates = self.people.admin.call(list_gates, ListGates())
        opened, decided = lineage.run_opened_at, promotion.decided_at
        assert opened is not None
        assert decided is not None
        own = [one for one in suites if one.recorded_at < opened][:1]
        older = [one for one in gates if one.recorded_at < opened][:1]
        newest = [one for one in gates if one.recorded_at <= decided][:1]
        assert own, "its suite came after its training"
        verdicts = {verdict.check: verdict.outcome for verdict in promotion.verdicts}
        for suite in own + older:
            assert all(verdicts.get(check.name) == "passed" for check in suite.checks)
        asked = own + older + newest
        hours = min((one.verdict_hours for one in asked if one.verdict_hours), default=None)
        if hours is not None:
            oldest = min(verdict.recorded_at for verdict in promotion.verdicts)
            assert decided - oldest <= dt.timedelta(hours=hours)
        people = {one.person for one in promotion.approvals if one.decision == "approve"}
        assert len(people) >= max(one.approvals for one in asked)
        parties = {promotion.requested_by, lineage.registered_by, lineage.run_author}
        assert not people & parties
        for policy in self.people.admin.call(contract.list_policies, ListModels()):
            assert policy.used <= policy.max_promotions
            assert policy.approved_by != policy.proposed_by


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database_kind", ["SQLite", "PostgreSQL"])
def test_nothing_enters_production_past_its_gate(
    database_kind: str, request: pytest.FixtureRequest
) -> None:
    fixture = "sqlite_template" if database_kind == "SQLite" else "postgres_house"
    HOUSE[:] = [request.getfixturevalue(fixture)]

    run_state_machine_as_test(
        Gate,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            # Without shrinking, which would take minutes: the steps are told as they are.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
