"""What a retraining does with what it trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from mainspring.app import App
from mainspring.core.ids import derived_id
from mainspring.core.operation import FileClient, Operation
from mainspring.registry import contract as registry
from mainspring.registry.requirement_contract import SetRequirements, set_requirements
from mainspring.retraining import contract
from mainspring.retraining.contract import NameRetraining, RequestRetraining, SetPolicy
from mainspring.retraining.execution import train
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import OpenRun
from mainspring.tracking.dataset_contract import DatasetRole
from tests import story
from tests.administration.lives import NAME, columns_with, erase, hand_over
from tests.house import Clients
from tests.story import MODEL

Q = TypeVar("Q")
R = TypeVar("R")


@pytest.fixture
def transport() -> str:
    """Retrainings run beside the server."""
    return "in process"


def trained(clients: Clients, *roles: DatasetRole) -> str:
    """A retraining whose run has ended and logged a model; answers its id."""
    story.in_production(clients.developer, clients.service, clients.approver)
    policy = SetPolicy(model=MODEL, level=2, recipe="shop:train")
    clients.developer.call(contract.set_policy, policy)
    asked = RequestRetraining(model=MODEL, reason="it is time")
    retraining = clients.developer.call(contract.request_retraining, asked).id
    run = derived_id("retraining run", retraining, "0")
    opened = OpenRun(id=run, code=story.CODE, environment=story.ENVIRONMENT)
    clients.service.call(tracking.open_run, opened)
    story.log_data(clients.service, run, *roles)
    story.log_model(clients.service, run)
    story.finish(clients.service, run)
    clients.admin.call(set_requirements, SetRequirements(require=["data", "code"]))
    return retraining


def done(clients: Clients, retraining: str) -> contract.Retraining:
    """Let Mainspring do it; answers how it ended."""
    (event,) = story.events(clients.viewer, kind="retraining.requested")
    train(clients.service, event)
    return clients.viewer.call(contract.show_retraining, NameRetraining(retraining=retraining))


def test_a_version_whose_run_lacks_what_is_asked_for_is_refused(clients: Clients) -> None:
    found = done(clients, trained(clients, "holdout"))

    assert (found.state, found.version) == ("refused", None)
    assert "data is missing" in found.outcome
    assert found.finished_at is not None


def test_a_version_whose_run_is_complete_goes_on_to_its_gate(clients: Clients) -> None:
    found = done(clients, trained(clients, "training", "holdout"))

    assert (found.state, found.version) == ("validating", 2)


class Meanwhile:
    """A client before whose registration something else happens."""

    def __init__(self, client: FileClient, deed: Callable[[], object]) -> None:
        self._client, self._deed = client, deed
        self.upload, self.download = client.upload, client.download

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation."""
        if operation is registry.register_version:
            self._deed()
        return self._client.call(operation, request)


def test_who_is_erased_while_it_trains_is_not_named_as_who_asked(
    app: App, clients: Clients
) -> None:
    retraining = trained(clients, "training", "holdout")
    story.declare(clients.admin)
    hand_over(clients)
    (event,) = story.events(clients.viewer, kind="retraining.requested")

    train(Meanwhile(clients.service, lambda: erase(clients.admin)), event)

    named = NameRetraining(retraining=retraining)
    assert clients.viewer.call(contract.show_retraining, named).state == "validating"
    assert columns_with(app, NAME) == set()
