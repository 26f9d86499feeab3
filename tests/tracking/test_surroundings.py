"""What surrounds a run is told once, and who tries the same again is found out."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.app import App
from mainspring.core.blobs import digest_of
from mainspring.core.errors import Conflict, Forbidden, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import Client
from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract
from mainspring.tracking.contract import FinishRun, LogRun, NameRun, Series
from mainspring.tracking.dataset_contract import DatasetRole, LogDataset
from mainspring.tracking.surroundings_contract import (
    DescribeRun,
    FindTried,
    Tried,
    describe_run,
    find_tried,
)
from tests import story
from tests.house import Clients

SETUP, OTHER = digest_of(b"this"), digest_of(b"that")
APRIL, MAY = digest_of(b"april"), digest_of(b"may")


def describe(client: Client, run: str, **told: Any) -> int:
    """Tell what surrounds the run; answers how many things were new."""
    return client.call(describe_run, DescribeRun(run=run, **told)).count


def use(client: Client, run: str, *digests: str, role: DatasetRole = "training") -> None:
    """Link datasets."""
    for digest in digests:
        request = LogDataset(run=run, name="rows", digest=digest, role=role, rows=1, columns=[])
        client.call(dataset_contract.log_dataset, request)


def attempt(
    client: Client, *digests: str, setup: str = SETUP, status: Any = "finished", name: str = ""
) -> str:
    """A run of the setup that trained on the data and ended; answers its id."""
    run = story.open_run(client, name=name)
    describe(client, run, setup=setup)
    use(client, run, *digests)
    client.call(tracking.finish_run, FinishRun(run=run, status=status))
    return run


def tried(client: Client, *data: str, setup: str = SETUP, **more: Any) -> list[Tried]:
    return client.call(find_tried, FindTried(setup=setup, data=list(data), **more))


def ids(found: list[Tried]) -> list[str]:
    return [one.id for one in found]


@pytest.mark.parametrize("name", ["code", "environment"])
def test_the_first_word_stays(clients: Clients, name: str) -> None:
    run = story.open_run(clients.developer, code={}, environment={})

    first = describe(clients.developer, run, **{name: {"said": "first"}})
    second = describe(clients.developer, run, **{name: {"said": "second"}})

    assert (first, second) == (1, 0)
    assert getattr(story.run_of(clients.viewer, run), name) == {"said": "first"}


def test_what_the_run_was_opened_with_stays(clients: Clients) -> None:
    run = story.open_run(clients.developer)

    assert describe(clients.developer, run, code={"commit": "1"}, environment={"a": 1}) == 0
    shown = story.run_of(clients.viewer, run)
    assert (shown.code, shown.environment) == (story.CODE, story.ENVIRONMENT)


def test_the_first_setup_stays(clients: Clients) -> None:
    run = story.open_run(clients.developer)

    counts = [describe(clients.developer, run, setup=setup) for setup in (SETUP, OTHER)]
    story.finish(clients.developer, run)

    assert counts == [1, 0]
    assert ids(tried(clients.viewer)) == [run]
    assert tried(clients.viewer, setup=OTHER) == []


def test_configurations_merge_and_later_entries_win(clients: Clients) -> None:
    run = story.open_run(clients.developer, config={"rate": 0.1, "depth": 3})

    describe(clients.developer, run, config={"depth": 4, "seed": None})

    assert story.run_of(clients.viewer, run).config == {"rate": 0.1, "depth": 4, "seed": None}


@pytest.mark.parametrize("status", ["finished", "failed", "killed"])
def test_the_configuration_of_a_run_that_has_ended_does_not_change(
    clients: Clients, status: Any
) -> None:
    run = story.open_run(clients.developer, config={"rate": 0.1})
    clients.developer.call(tracking.finish_run, FinishRun(run=run, status=status))

    with pytest.raises(Conflict, match="nothing can be logged"):
        describe(clients.developer, run, config={"rate": 0.2}, setup=SETUP)

    assert describe(clients.developer, run, config={"rate": 0.1}) == 0
    assert story.run_of(clients.viewer, run).config == {"rate": 0.1}
    assert tried(clients.viewer) == []


def test_code_and_environment_may_still_come_after_the_end(clients: Clients) -> None:
    run = story.open_run(clients.developer, code={}, environment={})
    story.finish(clients.developer, run)

    assert describe(clients.developer, run, code={"commit": "1"}, environment={"python": "3"}) == 2


def test_telling_again_changes_nothing_and_is_no_event(clients: Clients) -> None:
    run = story.open_run(clients.developer, code={})
    told = {"config": {"rate": 0.1}, "code": {"commit": "1"}, "setup": SETUP}

    counts = [describe(clients.developer, run, **told) for _ in range(3)]

    assert counts == [3, 0, 0]
    (event,) = story.events(clients.viewer, kind="run.described")
    assert (event.subject, event.facts["told"]) == (run, ["code", "config", "setup"])


def test_nobody_describes_the_run_of_another(clients: Clients) -> None:
    run = story.open_run(clients.developer, code={})

    with pytest.raises(Forbidden, match="may not write into it"):
        describe(clients.admin, run, code={"commit": "1"})


def test_a_deleted_run_is_not_described(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    clients.developer.call(tracking.delete_run, NameRun(run=run))

    with pytest.raises(Conflict, match="is deleted"):
        describe(clients.developer, run, setup=SETUP)


def test_a_run_that_is_not_here_is_not_described(clients: Clients) -> None:
    with pytest.raises(NotFound):
        describe(clients.developer, new_id(), setup=SETUP)


def test_the_same_setup_and_data_were_tried(clients: Clients) -> None:
    run = attempt(clients.developer, APRIL, name="trees")

    (found,) = tried(clients.viewer, APRIL)

    assert (found.id, found.name, found.author) == (run, "trees", "dora")
    assert found.finished_at == story.run_of(clients.viewer, run).finished_at


def test_it_tells_the_last_values(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    describe(clients.developer, run, setup=SETUP)
    series = [
        Series(key="auc", steps=[1, 2], at=[1, 2], values=[0.6, 0.7]),
        Series(key="loss", steps=[1], at=[1], values=["NaN"]),
    ]
    clients.developer.call(tracking.log_run, LogRun(run=run, series=series))
    story.finish(clients.developer, run)

    assert tried(clients.viewer)[0].metrics == {"auc": 0.7, "loss": "NaN"}


def test_another_setup_is_another_thing(clients: Clients) -> None:
    attempt(clients.developer, APRIL)

    assert tried(clients.viewer, APRIL, setup=OTHER) == []


def test_other_data_is_another_thing(clients: Clients) -> None:
    attempt(clients.developer, APRIL)

    assert tried(clients.viewer, MAY) == []


def test_all_of_the_data_must_have_been_trained_on(clients: Clients) -> None:
    attempt(clients.developer, APRIL)
    both = attempt(clients.developer, APRIL, MAY)

    assert ids(tried(clients.viewer, APRIL, MAY)) == [both]
    assert ids(tried(clients.viewer, MAY, APRIL, MAY)) == [both]


def test_data_that_comes_bit_by_bit_is_looked_for_as_far_as_it_is_known(clients: Clients) -> None:
    both = attempt(clients.developer, APRIL, MAY)

    assert ids(tried(clients.viewer, APRIL)) == [both]


def test_without_data_only_runs_without_data_are_found(clients: Clients) -> None:
    without = attempt(clients.developer)
    attempt(clients.developer, APRIL)

    assert ids(tried(clients.viewer)) == [without]


def test_data_that_it_was_only_judged_by_does_not_count(clients: Clients) -> None:
    run = story.open_run(clients.developer)
    describe(clients.developer, run, setup=SETUP)
    use(clients.developer, run, APRIL, role="holdout")
    story.finish(clients.developer, run)

    assert tried(clients.viewer, APRIL) == []
    assert ids(tried(clients.viewer)) == [run]


@pytest.mark.parametrize("status", ["failed", "killed"])
def test_what_did_not_finish_was_not_tried(clients: Clients, status: Any) -> None:
    attempt(clients.developer, APRIL, status=status)

    assert tried(clients.viewer, APRIL) == []


def test_what_still_runs_was_not_tried(clients: Clients) -> None:
    describe(clients.developer, story.open_run(clients.developer), setup=SETUP)

    assert tried(clients.viewer) == []


def test_a_deleted_run_was_not_tried_until_it_is_restored(clients: Clients) -> None:
    run = attempt(clients.developer)
    clients.developer.call(tracking.delete_run, NameRun(run=run))

    deleted = tried(clients.viewer)
    clients.developer.call(tracking.restore_run, NameRun(run=run))

    assert deleted == []
    assert ids(tried(clients.viewer)) == [run]


def test_a_run_is_not_its_own_repetition(clients: Clients) -> None:
    first, second = attempt(clients.developer), attempt(clients.developer)

    assert ids(tried(clients.viewer, but=second)) == [first]


def test_the_newest_come_first_and_no_more_than_wanted(clients: Clients) -> None:
    made = [attempt(clients.developer) for _ in range(3)]

    assert ids(tried(clients.viewer)) == made[::-1]
    assert ids(tried(clients.viewer, limit=2)) == [made[2], made[1]]
    with pytest.raises(Invalid):
        tried(clients.viewer, limit=101)


def test_the_runs_of_another_workspace_are_not_seen(
    clients: Clients, app: App, tokens: dict[str, str]
) -> None:
    other = story.elsewhere(app, tokens)
    attempt(other, APRIL)

    mine = attempt(clients.developer, APRIL)

    assert ids(tried(clients.viewer, APRIL)) == [mine]
    assert mine not in ids(tried(other, APRIL))
