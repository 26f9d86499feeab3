"""What should be served, and what the supervisor reports."""

from __future__ import annotations

import pytest

from mainspring.core.access import token_hash
from mainspring.core.errors import Blocked, Conflict, NotFound
from mainspring.core.event import Event
from mainspring.deployment import contract, reactions
from mainspring.deployment.contract import (
    Deployment,
    ListDeployments,
    NameDeployment,
    Process,
    Report,
    RollOut,
    StartDeployment,
)
from mainspring.registry import contract as registry
from mainspring.registry.contract import RollBack
from tests import story
from tests.house import Clients
from tests.story import MODEL

PROCESS = Process(pid=1, started=2, nonce="n", port=1234, log_folder="/log")


@pytest.fixture
def transport() -> str:
    """In process alone: that both ways in agree is tested where requests differ."""
    return "in process"


def promoted(clients: Clients) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)


def start(clients: Clients, **more: object) -> Deployment:
    request = StartDeployment(model=MODEL, **more)  # type: ignore[arg-type]
    return clients.deployer.call(contract.start, request)


def report(clients: Clients, **seen: object) -> Deployment:
    fields: dict[str, object] = {"state": "ready", **seen}
    request = Report(deployment=MODEL, **fields)  # type: ignore[arg-type]
    return clients.service.call(contract.report, request)


def last(clients: Clients, kind: str) -> Event:
    return story.events(clients.viewer, kind=kind)[-1]


def test_what_is_in_the_stage_is_served(clients: Clients) -> None:
    promoted(clients)

    deployment = start(clients)

    assert (deployment.name, deployment.version, deployment.state) == (MODEL, 1, "starting")


def test_nothing_is_served_that_passed_no_gate(clients: Clients) -> None:
    story.version(clients.developer)

    with pytest.raises(NotFound, match="nothing to serve"):
        start(clients)


def test_starting_again_changes_nothing(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    start(clients)

    assert story.kinds(clients.viewer).count("deployment.requested") == 1


def test_a_name_serves_one_model_and_stage(clients: Clients) -> None:
    promoted(clients)
    story.declare(clients.developer, stage="staging")
    number = story.version(clients.developer).number
    promotion = story.ask(clients.developer, number, stage="staging")
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    start(clients, name="late")

    with pytest.raises(Conflict, match="'late' serves flights-late production"):
        start(clients, name="late", stage="staging")


def test_a_stopped_deployment_can_be_started_again(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    stopped = clients.deployer.call(contract.stop, NameDeployment(deployment=MODEL))

    assert stopped.wanted == "stopped"
    assert start(clients).wanted == "running"


def test_a_rollout_serves_what_is_in_the_stage_alone(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    other = story.version(clients.developer).number

    with pytest.raises(Blocked, match="is in development"):
        clients.deployer.call(contract.roll_out, RollOut(deployment=MODEL, version=other))


def test_a_deployment_follows_a_promotion(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    promoted(clients)

    reactions.follow_promotion(clients.service, last(clients, "version.promoted"))

    assert start(clients).version == 2


def test_a_deployment_follows_a_rollback(clients: Clients) -> None:
    promoted(clients)
    promoted(clients)
    start(clients)
    back = RollBack(model=MODEL, version=1, reason="it was better")
    clients.deployer.call(registry.roll_back, back)

    reactions.follow_rollback(clients.service, last(clients, "version.rolled_back"))

    assert start(clients).version == 1


def test_a_late_reaction_follows_the_newest_promotion(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    first = last(clients, "version.promoted")
    promoted(clients)

    reactions.follow_promotion(clients.service, first)

    assert start(clients).version == 2


def test_a_report_is_shown(clients: Clients) -> None:
    promoted(clients)
    start(clients)

    deployment = report(clients, served=1, process=PROCESS)

    assert (deployment.served, deployment.url) == (1, "http://127.0.0.1:1234")
    assert "rollout.finished" in story.kinds(clients.viewer)


def test_the_same_report_again_announces_nothing(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    report(clients, served=1)
    before = story.kinds(clients.viewer)

    report(clients, served=1)

    assert story.kinds(clients.viewer) == before


def test_restarts_are_counted(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    report(clients, restarted=True, message="it was killed")

    assert report(clients, restarted=True, message="again").restarts == 2


def test_a_failed_rollout_is_announced_once(clients: Clients) -> None:
    promoted(clients)
    start(clients)
    for _ in range(2):
        report(clients, rollout_failed=True, message="the file is broken")

    assert story.kinds(clients.viewer).count("rollout.failed") == 1


def test_placements_tell_who_may_predict(clients: Clients, tokens: dict[str, str]) -> None:
    promoted(clients)
    start(clients)

    (placement,) = clients.service.call(contract.placements, ListDeployments())

    assert token_hash(tokens["dora"]) in placement.tokens
    assert token_hash(tokens["vera"]) not in placement.tokens


def test_a_close_name_is_offered(clients: Clients) -> None:
    promoted(clients)
    start(clients)

    with pytest.raises(NotFound, match="did you mean 'flights-late'"):
        clients.viewer.call(contract.show, NameDeployment(deployment="flights-lat"))


def test_deployments_are_listed_by_name(clients: Clients) -> None:
    promoted(clients)
    start(clients, name="b")
    start(clients, name="a")

    listed = clients.viewer.call(contract.list_deployments, ListDeployments())

    assert [deployment.name for deployment in listed] == ["a", "b"]


def test_an_unknown_version_is_not_rolled_out(clients: Clients) -> None:
    promoted(clients)
    start(clients)

    with pytest.raises(NotFound):
        clients.deployer.call(contract.roll_out, RollOut(deployment=MODEL, version=9))
