"""What was deleted long ago goes, whole; what was not stays, and comes back whole."""

from __future__ import annotations

import pytest

from mainspring.app import App
from mainspring.core.errors import Forbidden, Invalid, NotFound
from mainspring.governance import contract, service
from mainspring.governance.contract import Collect
from mainspring.tracking import contract as tracking
from mainspring.tracking import experiment_contract as experiments
from mainspring.tracking import model_contract, search_contract
from mainspring.tracking.contract import Measured, NameRun, Point
from mainspring.tracking.experiment_contract import CreateExperiment, NameExperiment
from mainspring.tracking.search_contract import SearchRuns
from tests import story
from tests.governance import litter
from tests.governance.litter import freed
from tests.house import Clients, Clock


@pytest.fixture(params=["in process"])
def transport(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the way in."""
    return str(request.param)


def deleted(clients: Clients, **search: object) -> list[str]:
    request = SearchRuns(view="deleted", **search)  # type: ignore[arg-type]
    return [run.id for run in clients.viewer.call(search_contract.search_runs, request).items]


def test_a_deleted_run_goes_with_all_that_it_has(app: App, clients: Clients, clock: Clock) -> None:
    run = litter.full_run(clients.developer)
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    found = freed(clients.admin)

    size = len(b"plot" + b"data of plot")
    assert found == {"runs": 1, "points": 1000, "datasets": 1, "files": 2, "bytes": size}
    assert litter.rows_of_runs(app) == {}
    assert not litter.is_there(clients.viewer, run)
    assert litter.size_of(app.settings.artifacts_folder) == 0


def test_collecting_again_finds_nothing(clients: Clients, clock: Clock) -> None:
    litter.delete_run(clients.developer, litter.full_run(clients.developer))
    clock.advance(days=31)
    freed(clients.admin)

    assert freed(clients.admin) == {}


def test_what_is_not_deleted_stays(app: App, clients: Clients, clock: Clock) -> None:
    run = litter.full_run(clients.developer)
    before = litter.rows_of_runs(app)
    clock.advance(days=365)

    assert freed(clients.admin, 0) == {}
    assert litter.rows_of_runs(app) == before
    assert story.run_of(clients.viewer, run).metrics[0].count == 1000


def test_what_was_deleted_a_short_while_ago_stays_and_comes_back_whole(
    clients: Clients, clock: Clock
) -> None:
    run = litter.full_run(clients.developer)
    before = story.run_of(clients.viewer, run)
    litter.delete_run(clients.developer, run)
    clock.advance(days=29)

    assert freed(clients.admin) == {}
    assert clients.developer.call(tracking.restore_run, NameRun(run=run)) == before


def test_the_user_says_how_long_ago(clients: Clients) -> None:
    litter.delete_run(clients.developer, litter.full_run(clients.developer))

    assert freed(clients.admin, 60) == {}
    assert freed(clients.admin, 0)["runs"] == 1


def test_a_dry_run_tells_what_would_go_and_takes_nothing(
    app: App, clients: Clients, clock: Clock
) -> None:
    run = litter.full_run(clients.developer)
    other = litter.full_run(clients.developer, b"plot")
    experiment = made_experiment(clients)
    story.open_run(clients.developer, experiment_id=experiment)
    clients.developer.call(experiments.delete_experiment, NameExperiment(experiment=experiment))
    litter.delete_run(clients.developer, run)
    litter.delete_run(clients.developer, other)
    clock.advance(days=31)
    before, kinds = litter.rows_of_runs(app), story.kinds(clients.viewer)

    told = freed(clients.admin, dry_run=True)

    assert litter.rows_of_runs(app) == before
    assert story.kinds(clients.viewer) == kinds
    assert litter.is_there(clients.viewer, run)
    assert freed(clients.admin) == told
    assert told["runs"] == 3
    assert told["files"] == 2
    assert told["experiments"] == 1


def test_a_long_series_goes_in_bites(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "POINTS", 150)
    run, short = story.open_run(clients.developer), litter.full_run(clients.developer, points=10)
    for key in ("auc", "loss", "recall"):
        litter.log_points(clients.developer, run, key, 111)
    litter.delete_run(clients.developer, run)
    litter.delete_run(clients.developer, short)
    clock.advance(days=31)

    assert freed(clients.admin)["points"] == 343
    assert litter.rows_of_runs(app) == {}


def one_chunk(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Let a chunk be one page, and do the first."""
    monkeypatch.setattr(service, "CHUNK_S", 0)
    return clients.admin.call(contract.collect, Collect()).next


def test_a_run_that_is_half_gone_is_not_there(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = made_experiment(clients)
    run = story.open_run(clients.developer, experiment_id=experiment)
    litter.log_points(clients.developer, run, "auc", 300)
    clients.developer.call(experiments.delete_experiment, NameExperiment(experiment=experiment))
    clock.advance(days=31)
    one_chunk(clients, monkeypatch)
    assert litter.rows_of_runs(app)["point"] == 300

    clients.developer.call(experiments.restore_experiment, NameExperiment(experiment=experiment))

    assert not litter.is_there(clients.viewer, run)
    assert deleted(clients) == []
    with pytest.raises(NotFound):
        clients.developer.call(tracking.restore_run, NameRun(run=run))
    clients.developer.call(tracking.open_run, tracking.OpenRun(id=run))
    assert freed(clients.admin) == {"points": 300}
    assert litter.rows_of_runs(app) == {"run": 1}


def test_every_chunk_can_be_the_last(
    app: App, clients: Clients, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CHUNK_S", 0)
    monkeypatch.setattr(service, "PAGE", 1)
    for number in range(3):
        run = litter.full_run(clients.developer, bytes([number]))
        litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    for _ in range(30):
        clients.admin.call(contract.collect, Collect())

    freed(clients.admin)
    assert litter.rows_of_runs(app) == {}
    assert litter.size_of(app.settings.artifacts_folder) == 0


def made_experiment(clients: Clients, name: str = "trees") -> str:
    request = CreateExperiment(name=name, tags={"a": "b"})
    return clients.developer.call(experiments.create_experiment, request).id


def test_a_deleted_experiment_goes_with_its_runs_and_its_name_is_free(
    clients: Clients, clock: Clock
) -> None:
    experiment = made_experiment(clients)
    story.open_run(clients.developer, experiment_id=experiment)
    clients.developer.call(experiments.delete_experiment, NameExperiment(experiment=experiment))
    clock.advance(days=31)

    assert freed(clients.admin) == {"runs": 1, "experiments": 1}
    assert made_experiment(clients) != experiment


def test_an_experiment_stays_while_a_trained_model_is_in_it(clients: Clients, clock: Clock) -> None:
    experiment = made_experiment(clients)
    run = story.open_run(clients.developer, experiment_id=experiment)
    trained = story.log_model(clients.developer, run)
    clients.developer.call(experiments.delete_experiment, NameExperiment(experiment=experiment))
    clock.advance(days=31)

    assert freed(clients.admin) == {"runs": 1}

    litter.delete_model(clients.developer, trained)
    clock.advance(days=31)
    assert freed(clients.admin)["experiments"] == 1


def test_the_experiment_of_runs_that_name_none_stays(clients: Clients, clock: Clock) -> None:
    clients.developer.call(experiments.delete_experiment, NameExperiment(experiment="0"))
    clock.advance(days=31)

    assert freed(clients.admin) == {}


def test_what_a_collected_run_trained_is_there_and_says_by_what(
    clients: Clients, clock: Clock
) -> None:
    run = story.open_run(clients.developer)
    trained = story.log_model(clients.developer, run)
    point = Point(key="auc", value=0.7, at=litter.NOON)
    measured = Measured(point=point, trained_model=trained)
    clients.developer.call(tracking.log_run, tracking.LogRun(run=run, measured=[measured]))
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)

    freed(clients.admin)

    request = model_contract.NameTrainedModel(id=trained)
    found = clients.viewer.call(model_contract.show_trained, request)
    assert (found.run, found.claimed_run, found.metrics) == (None, run, [])
    assert b"".join(clients.viewer.download(found.files[0].digest)) == b"trees"


def test_a_deleted_trained_model_goes_with_its_files(
    app: App, clients: Clients, clock: Clock
) -> None:
    run = story.open_run(clients.developer)
    trained = story.log_model(clients.developer, run)
    litter.delete_model(clients.developer, trained)
    clock.advance(days=31)

    assert freed(clients.admin) == {"trained_models": 1, "files": 1, "bytes": 5}
    assert not litter.model_is_there(clients.viewer, trained)
    assert litter.size_of(app.settings.artifacts_folder) == 0


def test_what_was_freed_is_an_event(clients: Clients, clock: Clock) -> None:
    litter.delete_run(clients.developer, story.open_run(clients.developer))
    clock.advance(days=31)

    freed(clients.admin)
    freed(clients.admin)

    (event,) = story.events(clients.viewer, kind="storage.collected")
    assert (event.facts, event.actor) == ({"runs": 1}, "ada")


def test_collecting_takes_an_administrator(clients: Clients) -> None:
    with pytest.raises(Forbidden):
        clients.developer.call(contract.collect, Collect())


@pytest.mark.parametrize("after", ["", "runs", "runs:-1", "runs:x", "trees:0", f"runs:{10**30}"])
def test_a_token_that_no_chunk_gave_is_refused(clients: Clients, after: str) -> None:
    with pytest.raises(Invalid) as caught:
        clients.admin.call(contract.collect, Collect(after=after))
    assert caught.value.field == "after"


def test_another_workspace_keeps_its_own(
    app: App, clients: Clients, tokens: dict[str, str], clock: Clock
) -> None:
    there = story.elsewhere(app, tokens)
    run = litter.full_run(there)
    litter.delete_run(there, run)
    clock.advance(days=31)

    assert freed(clients.admin) == {}
    assert litter.is_there(there, run)
    assert freed(there)["runs"] == 1


def test_the_id_of_a_collected_run_can_be_opened_again(clients: Clients, clock: Clock) -> None:
    run = story.open_run(clients.developer)
    litter.delete_run(clients.developer, run)
    clock.advance(days=31)
    freed(clients.admin)

    clients.developer.call(tracking.open_run, tracking.OpenRun(id=run, name="again"))

    assert story.run_of(clients.viewer, run).name == "again"
