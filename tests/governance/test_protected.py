"""What anything refers to stays, however long ago it was deleted; then it goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mainspring.app import App
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import StartDeployment
from mainspring.registry import catalog_contract
from mainspring.registry import contract as registry
from mainspring.registry.catalog_contract import AddVersion, CreateModel
from mainspring.registry.contract import NamePromotion
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import NameRetraining, RequestRetraining, SetPolicy
from mainspring.tracking import model_contract
from mainspring.tracking.model_contract import LinkModels, ModelLink
from mainspring.tracking.tables import artifact_table
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import Clients, Clock
from tests.story import MODEL

Undo = Callable[[], object]


@pytest.fixture(params=["in process"])
def transport(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the way in."""
    return str(request.param)


def add_version(clients: Clients, **more: object) -> int:
    request = AddVersion(model=MODEL, **more)  # type: ignore[arg-type]
    return clients.developer.call(catalog_contract.add_version, request).version


def create_model(clients: Clients) -> None:
    clients.developer.call(catalog_contract.create_model, CreateModel(model=MODEL))


def by_a_version(clients: Clients, run: str) -> Undo:
    create_model(clients)
    number = add_version(clients, source="s3://elsewhere", run=run)
    return lambda: litter.delete_version(clients.developer, number)


def by_the_address_of_a_version(clients: Clients, run: str) -> Undo:
    create_model(clients)
    number = add_version(clients, source=f"mlflow-artifacts:/0/{run}/artifacts/model")
    return lambda: litter.delete_version(clients.developer, number)


def by_where_a_version_is_fetched(clients: Clients, run: str) -> Undo:
    create_model(clients)
    number = add_version(clients, source="s3://elsewhere", location=f"runs:/{run}/model")
    return lambda: litter.delete_version(clients.developer, number)


def by_a_child(clients: Clients, run: str) -> Undo:
    child = story.open_run(clients.developer, parent=run)
    return lambda: litter.delete_run(clients.developer, child)


def by_a_retraining(clients: Clients, run: str) -> Undo:
    story.in_production(clients.developer, clients.service, clients.approver)
    clients.deployer.call(deployment.start, StartDeployment(model=MODEL))
    policy = SetPolicy(model=MODEL, level=1, recipe="shop:train")
    clients.developer.call(retraining.set_policy, policy)
    request = RequestRetraining(model=MODEL, reason="new data")
    one = clients.developer.call(retraining.request_retraining, request).id
    begun = retraining.Advance(retraining=one, state="training", run=run)
    clients.service.call(retraining.advance, begun)
    cancel = NameRetraining(retraining=one)
    return lambda: clients.developer.call(retraining.cancel, cancel)


@pytest.mark.parametrize(
    "held",
    [
        by_a_version,
        by_the_address_of_a_version,
        by_where_a_version_is_fetched,
        by_a_child,
    ],
)
def test_a_run_stays_as_long_as_it_is_held(
    clients: Clients, clock: Clock, held: Callable[[Clients, str], Undo]
) -> None:
    run = litter.full_run(clients.developer)
    let_go = held(clients, run)
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    assert freed(clients.admin) == {}
    assert story.run_of(clients.viewer, run).metrics[0].count == 1000

    let_go()
    clock.advance(days=29)
    assert "points" not in freed(clients.admin)
    clock.advance(days=2)
    assert freed(clients.admin)["points"] == 1000
    assert not litter.is_there(clients.viewer, run)


def test_the_run_of_a_retraining_stays_until_that_is_over(clients: Clients, clock: Clock) -> None:
    run = litter.full_run(clients.developer)
    let_go = by_a_retraining(clients, run)
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    assert freed(clients.admin) == {}

    let_go()
    assert freed(clients.admin)["points"] == 1000


def refused(clients: Clients, number: int) -> None:
    """Bring the version before the gate, which refuses it."""
    story.say(clients.service, story.ask(clients.developer, number).id, outcome="failed")


def test_what_stood_before_a_gate_stays_when_its_version_is_deleted(
    clients: Clients, clock: Clock
) -> None:
    story.declare(clients.developer)
    made = story.version(clients.developer)
    refused(clients, made.number)
    litter.delete_version(clients.developer, made.number)
    litter.delete_run(clients.developer, made.run)
    litter.delete_model(clients.developer, made.trained)
    clock.advance(days=31)

    assert freed(clients.admin) == {}
    assert litter.is_there(clients.viewer, made.run)
    assert litter.model_is_there(clients.viewer, made.trained)


def test_a_withdrawn_request_was_before_the_gate_too(clients: Clients, clock: Clock) -> None:
    story.declare(clients.developer)
    made = story.version(clients.developer)
    promotion = story.ask(clients.developer, made.number).id
    clients.developer.call(registry.withdraw, NamePromotion(promotion=promotion))
    litter.delete_version(clients.developer, made.number)
    litter.delete_run(clients.developer, made.run)
    clock.advance(days=31)

    assert freed(clients.admin) == {}


def model_of_version(clients: Clients, trained: str) -> Undo:
    number = story.register(clients.developer, trained)
    return lambda: litter.delete_version(clients.developer, number)


def model_by_address(clients: Clients, trained: str) -> Undo:
    create_model(clients)
    number = add_version(clients, source=f"mlflow-artifacts:/0/models/m-{trained}/artifacts")
    return lambda: litter.delete_version(clients.developer, number)


def model_by_another_run(clients: Clients, trained: str) -> Undo:
    run = story.open_run(clients.developer)
    link = LinkModels(run=run, models=[ModelLink(trained_model=trained, way="input")])
    clients.developer.call(model_contract.link_models, link)
    return lambda: litter.delete_run(clients.developer, run)


@pytest.mark.parametrize("held", [model_of_version, model_by_address, model_by_another_run])
def test_a_trained_model_stays_as_long_as_it_is_held(
    clients: Clients, clock: Clock, held: Callable[[Clients, str], Undo]
) -> None:
    trained = story.log_model(clients.developer, story.open_run(clients.developer))
    let_go = held(clients, trained)
    litter.delete_model(clients.developer, trained)
    clock.advance(days=31)

    assert freed(clients.admin) == {}
    assert litter.model_is_there(clients.viewer, trained)

    let_go()
    clock.advance(days=29)
    assert "trained_models" not in freed(clients.admin)
    clock.advance(days=2)
    assert freed(clients.admin)["trained_models"] == 1


def test_its_own_run_does_not_keep_a_deleted_trained_model(clients: Clients, clock: Clock) -> None:
    run = story.open_run(clients.developer)
    trained = story.log_model(clients.developer, run)
    link = LinkModels(run=run, models=[ModelLink(trained_model=trained, way="output")])
    clients.developer.call(model_contract.link_models, link)
    litter.delete_model(clients.developer, trained)
    clock.advance(days=31)

    assert freed(clients.admin)["trained_models"] == 1
    assert story.run_of(clients.viewer, run).models == []


def test_a_dataset_stays_as_long_as_a_run_uses_it(clients: Clients, clock: Clock) -> None:
    one, other = story.open_run(clients.developer), story.open_run(clients.developer)
    for run in (one, other):
        file = litter.log_data(clients.developer, run, b"rows")
    litter.delete_run(clients.developer, one)
    clock.advance(days=31)

    assert freed(clients.admin) == {"runs": 1}
    assert b"".join(clients.viewer.download(file)) == b"rows"

    litter.delete_run(clients.developer, other)
    clock.advance(days=31)
    assert freed(clients.admin) == {"runs": 1, "datasets": 1, "files": 1, "bytes": 4}


def version_of_files(clients: Clients) -> tuple[str, str, int]:
    """A version made of a run's files; answers the run, the file's digest, the number."""
    run = story.open_run(clients.developer)
    file = litter.log_file(clients.developer, run, b"trees", "model/trees.txt")
    create_model(clients)
    source = f"runs:/{run}/model"
    number = add_version(clients, source=source, run=run, place=f"runs/{run}", prefix="model")
    return run, file, number


def test_a_deleted_version_keeps_its_number_and_lets_its_files_go(
    clients: Clients, clock: Clock
) -> None:
    run, file, number = version_of_files(clients)
    litter.delete_version(clients.developer, number)
    litter.delete_run(clients.developer, run)
    clock.advance(days=29)
    assert freed(clients.admin) == {}
    assert b"".join(clients.viewer.download(file)) == b"trees"

    clock.advance(days=2)

    assert freed(clients.admin) == {"runs": 1, "files": 1, "bytes": 5}
    assert add_version(clients, source="s3://elsewhere") == number + 1


def test_a_version_alone_keeps_its_files(app: App, clients: Clients, clock: Clock) -> None:
    _, file, number = version_of_files(clients)
    with app.database.write() as connection:
        connection.execute(artifact_table.delete())
    clock.advance(days=31)

    assert freed(clients.admin) == {}
    assert b"".join(clients.viewer.download(file)) == b"trees"

    litter.delete_version(clients.developer, number)
    clock.advance(days=31)
    assert freed(clients.admin) == {"files": 1, "bytes": 5}


def test_a_trained_model_alone_keeps_its_files(app: App, clients: Clients, clock: Clock) -> None:
    trained = story.log_model(clients.developer, story.open_run(clients.developer))
    with app.database.write() as connection:
        connection.execute(artifact_table.delete())
    clock.advance(days=31)

    assert freed(clients.admin) == {}

    litter.delete_model(clients.developer, trained)
    clock.advance(days=31)
    assert freed(clients.admin) == {"trained_models": 1, "files": 1, "bytes": 5}


def test_the_recipe_of_a_retraining_policy_stays(clients: Clients, clock: Clock) -> None:
    story.in_production(clients.developer, clients.service, clients.approver)
    recipe = story.put(clients.developer, b"def train(): ...")
    policy = SetPolicy(model=MODEL, level=1, recipe="shop:train", recipe_file=recipe)
    clients.developer.call(retraining.set_policy, policy)
    clock.advance(days=31)

    assert freed(clients.admin) == {}

    other = SetPolicy(model=MODEL, level=1, recipe="shop:train")
    clients.developer.call(retraining.set_policy, other)
    assert freed(clients.admin)["files"] == 1
