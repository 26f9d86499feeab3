"""Suites: declared once, by name of installed checks."""

from __future__ import annotations

import pytest

from mainspring.core.errors import Forbidden, Invalid
from mainspring.registry import contract
from mainspring.registry.contract import NameModel
from mainspring.registry.record import SuiteRow
from tests import story
from tests.house import Clients
from tests.story import MODEL


def suites(clients: Clients) -> list[SuiteRow]:
    return clients.viewer.call(contract.list_suites, NameModel(model=MODEL))


def test_a_suite_can_be_declared_before_there_is_a_model(clients: Clients) -> None:
    story.declare(clients.developer)

    (suite,) = suites(clients)
    assert [check.name for check in suite.checks] == ["performance"]


def test_the_same_suite_again_is_not_repeated(clients: Clients) -> None:
    story.declare(clients.developer)
    story.declare(clients.developer)

    assert len(suites(clients)) == 1


def test_suites_are_listed_newest_first(clients: Clients) -> None:
    story.declare(clients.developer, "performance")
    story.declare(clients.developer, "latency")

    assert [suite.checks[0].name for suite in suites(clients)] == ["latency", "performance"]


def test_an_unknown_check_is_refused_with_the_nearest(clients: Clients) -> None:
    with pytest.raises(Invalid, match="did you mean 'latency'") as caught:
        story.declare(clients.developer, "latencies")
    assert caught.value.field == "checks"


def test_a_check_named_twice_is_refused(clients: Clients) -> None:
    with pytest.raises(Invalid, match="each check once"):
        story.declare(clients.developer, "latency", "latency")


def test_a_function_of_ones_own_is_a_check(clients: Clients) -> None:
    story.declare(clients.developer, "shop.checks:margin")

    assert suites(clients)[0].checks[0].name == "shop.checks:margin"


def test_who_may_not_approve_does_not_lower_the_approvals_for_production(
    clients: Clients,
) -> None:
    with pytest.raises(Forbidden, match="fewer approvals"):
        story.declare(clients.developer, approvals=0)


def test_who_may_approve_lowers_the_approvals_for_production(clients: Clients) -> None:
    story.declare(clients.admin, approvals=0)

    assert suites(clients)[0].approvals == 0


def test_a_model_name_that_a_reference_could_not_carry_is_refused(clients: Clients) -> None:
    request = contract.DeclareSuite(model="a@b", checks=[])

    with pytest.raises(Invalid) as caught:
        clients.developer.call(contract.declare_suite, request)
    assert caught.value.field == "model"
