"""Whoever sends again, because the answer got lost, gets the first answer and no second effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import AddPerson, CreateToken, NewToken, Person
from mainspring.app import OPERATIONS, App, LocalClient
from mainspring.core.errors import Conflict
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient, Operation
from mainspring.interfaces.remote import RemoteClient
from mainspring.tracking import artifact_contract, dataset_contract, model_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import FinishRun, NameRun
from mainspring.tracking.dataset_contract import ListDatasets
from tests import story
from tests.house import Clients, at_once, local_client


def always(client: FileClient, request_id: str) -> None:
    """Let the client send every request under the same id."""
    assert isinstance(client, LocalClient | RemoteClient)
    client.request_ids = lambda _name, _body: request_id


def add(client: FileClient, name: str = "zoe") -> Person:
    return client.call(administration.add_person, AddPerson(name=name))


def test_the_same_request_again_gets_the_same_answer(clients: Clients) -> None:
    always(clients.admin, "once")

    assert add(clients.admin) == add(clients.admin)
    assert story.kinds(clients.viewer).count("person.added") == 1


def test_another_request_under_the_same_id_is_refused(clients: Clients) -> None:
    always(clients.admin, "once")
    add(clients.admin)

    with pytest.raises(Conflict) as caught:
        add(clients.admin, "zora")
    assert caught.value.field == "X-Request-Id"


def test_another_operation_under_the_same_id_is_refused(clients: Clients) -> None:
    always(clients.admin, "once")
    add(clients.admin)

    with pytest.raises(Conflict):
        clients.admin.call(administration.disable_person, administration.NamePerson(name="vera"))


def test_an_id_belongs_to_whoever_used_it(clients: Clients) -> None:
    trained = story.train(clients.developer)[1]
    always(clients.developer, "once")
    always(clients.admin, "once")
    story.register(clients.developer, trained)

    assert add(clients.admin).name == "zoe"


def test_a_refused_request_may_be_sent_again(clients: Clients) -> None:
    always(clients.admin, "once")
    with pytest.raises(Conflict):
        add(clients.admin, "dora")

    assert add(clients.admin).name == "zoe"


def test_retries_at_once_have_one_effect(app: App, tokens: dict[str, str]) -> None:
    client = local_client(app, tokens["ada"])
    always(client, "once")

    answers = at_once(*[lambda: add(client)] * 8)

    assert answers == [answers[0]] * 8
    assert isinstance(answers[0], Person)
    assert story.kinds(client).count("person.added") == 1


def test_retried_promotion_requests_at_once_open_one(app: App, tokens: dict[str, str]) -> None:
    client = local_client(app, tokens["ada"])
    story.declare(client)
    number = story.version(client).number
    always(client, "once")

    answers = at_once(*[lambda: story.ask(client, number)] * 8)

    assert len({getattr(answer, "id", answer) for answer in answers}) == 1
    assert story.kinds(client).count("promotion.requested") == 1


def test_a_secret_is_not_kept_for_a_retry(clients: Clients) -> None:
    always(clients.admin, "once")

    def make() -> NewToken:
        return clients.admin.call(administration.create_token, CreateToken(owner="vera"))

    assert make().token != make().token


def _run_operations(client: FileClient) -> dict[str, Callable[[], object]]:
    run = story.open_run(client)
    digest = story.put(client, b"bytes")
    entry = tracking.FileEntry(path="a/b", digest=digest, size=5)
    trained = new_id()
    return {
        "runs.open": lambda: client.call(tracking.open_run, tracking.OpenRun(id=run)),
        "runs.log": lambda: client.call(
            tracking.log_run, tracking.LogRun(run=run, params={"a": "1"}, tags={"b": "2"})
        ),
        "runs.heartbeat": lambda: client.call(tracking.beat, NameRun(run=run)),
        "runs.log-dataset": lambda: story.log_data(client, run, "training"),
        "runs.log-artifact": lambda: client.call(
            artifact_contract.log_artifact, artifact_contract.LogArtifact(run=run, file=entry)
        ),
        "runs.log-model": lambda: client.call(
            model_contract.log_model,
            model_contract.LogModel(
                run=run, id=trained, name="m", engine="onnx", task="binary",
                signature=story.SIGNATURE, files=[entry],
            ),
        ),
        "runs.finish": lambda: client.call(tracking.finish_run, FinishRun(run=run)),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "runs.open", "runs.log", "runs.heartbeat", "runs.log-dataset", "runs.log-artifact",
        "runs.log-model", "runs.finish",
    ],
)  # fmt: skip
def test_a_repeatable_operation_has_one_effect(clients: Clients, name: str) -> None:
    act = _run_operations(clients.developer)[name]
    act()
    before = (
        story.kinds(clients.viewer),
        clients.viewer.call(dataset_contract.list_datasets, ListDatasets()),
    )

    act()

    assert (
        story.kinds(clients.viewer),
        clients.viewer.call(dataset_contract.list_datasets, ListDatasets()),
    ) == before


@pytest.mark.parametrize("name", ["runs.open", "runs.log", "runs.log-dataset", "runs.log-model"])
def test_repeatable_operations_at_once_have_one_effect(
    app: App, tokens: dict[str, str], name: str
) -> None:
    client = local_client(app, tokens["dora"])
    act = _run_operations(client)[name]

    answers = at_once(*[act] * 8)

    assert not [answer for answer in answers if isinstance(answer, Exception)]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_what_is_not_kept_by_request_id_says_how_it_repeats(
    operation: Operation[Any, Any],
) -> None:
    assert not (operation.repeatable and operation.secret)
    assert not (operation.repeatable and operation.decision)
