"""Models and versions: registered, described, found, rolled back, traced."""

from __future__ import annotations

import pytest

from mainspring.app import App
from mainspring.core.errors import Blocked, Conflict, Forbidden, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.registry import contract
from mainspring.registry.contract import (
    DescribeModel,
    DropAlias,
    ListModels,
    ListVersions,
    NameModel,
    NameVersion,
    RegisterVersion,
    Resolve,
    RollBack,
    SetAlias,
)
from mainspring.registry.model import Model, ModelVersion
from tests import story
from tests.house import Clients, at_once, local_client
from tests.story import MODEL


def show(clients: Clients) -> Model:
    return clients.viewer.call(contract.show_model, NameModel(model=MODEL))


def stage_of(clients: Clients, number: int) -> str:
    request = NameVersion(model=MODEL, version=number)
    return clients.viewer.call(contract.show_version, request).stage


def resolve(clients: Clients, reference: str) -> ModelVersion:
    return clients.viewer.call(contract.resolve, Resolve(model=MODEL, reference=reference))


def roll_back(clients: Clients, number: int, stage: contract.TargetStage = "production") -> None:
    request = RollBack(model=MODEL, version=number, stage=stage, reason="it was better")
    clients.deployer.call(contract.roll_back, request)


def promote(clients: Clients, number: int, stage: contract.TargetStage = "production") -> None:
    promotion = story.ask(clients.developer, number, stage=stage)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)


def two_versions_that_were_in_production(clients: Clients) -> None:
    story.declare(clients.developer)
    promote(clients, story.version(clients.developer).number)
    promote(clients, story.version(clients.developer).number)


def test_versions_are_numbered_from_one(clients: Clients) -> None:
    numbers = [story.version(clients.developer).number for _ in range(3)]

    assert numbers == [1, 2, 3]


def test_registering_the_same_trained_model_again_answers_its_version(clients: Clients) -> None:
    made = story.version(clients.developer)

    assert story.register(clients.developer, made.trained) == made.number
    assert show(clients).versions == 1


def test_registrations_at_once_get_numbers_without_gaps(app: App, tokens: dict[str, str]) -> None:
    client = local_client(app, tokens["dora"])
    trained = [story.train(client)[1] for _ in range(8)]

    numbers = at_once(*(lambda one=one: story.register(client, one) for one in trained))

    assert sorted(numbers) == list(range(1, 9))  # type: ignore[type-var]


def test_an_unknown_trained_model_is_refused(clients: Clients) -> None:
    request = RegisterVersion(model=MODEL, trained_model=new_id())

    with pytest.raises(NotFound) as caught:
        clients.developer.call(contract.register_version, request)
    assert caught.value.field == "trained_model"


def test_the_registrar_owns_a_new_model(clients: Clients) -> None:
    story.version(clients.developer)

    assert show(clients).owner == "dora"


def test_a_close_name_is_offered(clients: Clients) -> None:
    story.version(clients.developer)

    with pytest.raises(NotFound, match="did you mean 'flights-late'"):
        clients.viewer.call(contract.show_model, NameModel(model="flight-late"))


def test_models_are_listed_by_name(clients: Clients) -> None:
    story.version(clients.developer)

    listed = clients.viewer.call(contract.list_models, ListModels())

    assert [model.name for model in listed] == [MODEL]


def test_versions_are_listed_newest_first(clients: Clients) -> None:
    story.version(clients.developer)
    story.version(clients.developer)

    listed = clients.viewer.call(contract.list_versions, ListVersions(model=MODEL))

    assert [version.version for version in listed] == [2, 1]


def test_a_description_changes_only_what_it_says(clients: Clients) -> None:
    story.version(clients.developer)

    described = clients.developer.call(
        contract.describe_model, DescribeModel(model=MODEL, team="delays")
    )

    assert (described.team, described.owner) == ("delays", "dora")


def test_who_may_not_approve_may_raise_a_risk_tier(clients: Clients) -> None:
    story.version(clients.developer)

    request = DescribeModel(model=MODEL, risk_tier="high")
    assert clients.developer.call(contract.describe_model, request).risk_tier == "high"


def test_who_may_not_approve_may_not_lower_a_risk_tier(clients: Clients) -> None:
    story.version(clients.developer)
    clients.developer.call(contract.describe_model, DescribeModel(model=MODEL, risk_tier="high"))

    with pytest.raises(Forbidden, match="lowering a risk tier"):
        clients.developer.call(contract.describe_model, DescribeModel(model=MODEL, risk_tier="low"))
    assert show(clients).risk_tier == "high"


def test_a_number_names_a_version(clients: Clients) -> None:
    story.version(clients.developer)

    assert resolve(clients, "1").version == 1


def test_a_stage_names_the_version_in_it(clients: Clients) -> None:
    two_versions_that_were_in_production(clients)

    assert resolve(clients, "production").version == 2


def test_an_alias_names_its_version(clients: Clients) -> None:
    story.version(clients.developer)
    story.version(clients.developer)
    clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias="champion", version=1))

    assert resolve(clients, "champion").version == 1


def test_an_alias_can_be_moved(clients: Clients) -> None:
    story.version(clients.developer)
    story.version(clients.developer)
    clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias="best", version=1))

    clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias="best", version=2))

    assert show(clients).aliases == {"best": 2}


def test_a_dropped_alias_names_nothing(clients: Clients) -> None:
    story.version(clients.developer)
    clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias="best", version=1))
    clients.developer.call(contract.drop_alias, DropAlias(model=MODEL, alias="best"))

    with pytest.raises(NotFound, match="has no alias 'best'"):
        resolve(clients, "best")


@pytest.mark.parametrize("alias", ["production", "Latest", "v2"])
def test_an_alias_does_not_read_as_a_version_or_a_stage(clients: Clients, alias: str) -> None:
    story.version(clients.developer)

    with pytest.raises(Invalid) as caught:
        clients.developer.call(contract.set_alias, SetAlias(model=MODEL, alias=alias, version=1))
    assert caught.value.field == "alias"


@pytest.mark.parametrize("reference", ["99999999999999999999", "7", "staging", "nobody", "²"])
def test_a_reference_to_nothing_is_not_found(clients: Clients, reference: str) -> None:
    story.version(clients.developer)

    with pytest.raises(NotFound):
        resolve(clients, reference)


def test_a_rollback_returns_to_a_version_that_was_there(clients: Clients) -> None:
    two_versions_that_were_in_production(clients)

    roll_back(clients, 1)

    assert (stage_of(clients, 1), stage_of(clients, 2)) == ("production", "archived")


def test_a_rollback_to_a_version_that_never_was_there_is_refused(clients: Clients) -> None:
    two_versions_that_were_in_production(clients)
    other = story.version(clients.developer).number

    with pytest.raises(Blocked, match="was never in production"):
        roll_back(clients, other)
    assert stage_of(clients, 2) == "production"


def test_a_rollback_to_the_version_that_is_there_is_refused(clients: Clients) -> None:
    two_versions_that_were_in_production(clients)

    with pytest.raises(Conflict, match="is in production already"):
        roll_back(clients, 2)


def test_a_version_does_not_leave_production_empty(clients: Clients) -> None:
    story.declare(clients.developer)
    story.declare(clients.developer, stage="staging")
    number = story.version(clients.developer).number
    promote(clients, number, "staging")
    promote(clients, number, "production")

    with pytest.raises(Conflict, match="would be left empty"):
        roll_back(clients, number, "staging")
    assert stage_of(clients, number) == "production"


def test_a_promotion_archives_the_version_before(clients: Clients) -> None:
    two_versions_that_were_in_production(clients)

    assert (stage_of(clients, 1), show(clients).production) == ("archived", 2)


def test_lineage_leads_back_to_data_code_and_people(clients: Clients) -> None:
    made = story.in_production(clients.developer, clients.service, clients.approver)

    lineage = clients.viewer.call(
        contract.show_lineage, NameVersion(model=MODEL, version=made.number)
    )

    assert (lineage.run, lineage.run_author, lineage.code) == (made.run, "dora", story.CODE)
    assert [dataset.role for dataset in lineage.datasets] == ["training", "holdout"]
    assert [approval.person for approval in lineage.approvals] == ["paul"]
    assert [verdict.check for verdict in lineage.verdicts] == ["performance"]
    assert "version.registered flights-late@1 by dora" in lineage.causes[0]


def test_lineage_says_when_the_suite_was_declared(clients: Clients) -> None:
    made = story.in_production(clients.developer, clients.service, clients.approver)

    lineage = clients.viewer.call(
        contract.show_lineage, NameVersion(model=MODEL, version=made.number)
    )

    assert lineage.suite_declared_at is not None
    assert lineage.run_opened_at is not None
    assert lineage.suite_declared_at < lineage.run_opened_at


def test_lineage_tells_nothing_of_another_workspace(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    elsewhere = story.elsewhere(app, tokens)
    run, trained = story.train(elsewhere)
    foreign = story.events(clients.viewer, kind="token.created")[0].id
    client = local_client(app, tokens["ada"], story.ELSEWHERE)
    client._cause = foreign
    story.register(client, trained)

    request = NameVersion(model=MODEL, version=1)
    lineage = elsewhere.call(contract.show_lineage, request)

    assert len(lineage.causes) == 1
    assert lineage.run == run
