"""The queue: a job is done once by whoever claims it, again if they die, never lost."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections.abc import Callable, Iterator

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListJobs, NamePerson, PendingJob
from mainspring.app import SERVICE, App
from mainspring.core import jobs
from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid
from mainspring.core.event import Event
from mainspring.core.ids import new_id
from mainspring.core.jobs import BACKOFF, LEASE, MAX_ATTEMPTS, Job, Reaction
from mainspring.core.operation import Client, FileClient
from mainspring.dispatcher import MAX_ATTEMPTS_REFUSED, LaneThread
from mainspring.registry import contract as registry
from mainspring.retraining import contract as retraining
from tests import story
from tests.house import Clients, at_once, local_client, wait_until

React = Callable[[Client, Event], None]
SECOND = dt.timedelta(seconds=1)
KIND = "person.disabled"


@pytest.fixture
def transport() -> str:
    """The queue does not depend on the way in."""
    return "in process"


@pytest.fixture
def reactions() -> Iterator[dict[str, Reaction]]:
    """The reactions of this test alone."""
    with jobs.own_reactions() as known:
        known.clear()
        yield known


@pytest.fixture
def job(app: App, clients: Clients, reactions: dict[str, Reaction]) -> None:
    """One job that is due."""
    jobs.add_reaction(Reaction("test.note", KIND, "server", lambda _client, _event: None))
    disable(clients.admin, "vera")


def disable(client: FileClient, name: str) -> None:
    client.call(administration.disable_person, NamePerson(name=name))


def claim(app: App, owner: str, later: dt.timedelta = dt.timedelta(0)) -> Job | None:
    with app.database.write() as connection:
        return jobs.claim(connection, "server", owner, utc_now() + SECOND + later)


def pending(clients: Clients) -> list[PendingJob]:
    return clients.admin.call(administration.list_jobs, ListJobs())


def finish(app: App, owner: str, job: Job) -> None:
    with app.database.write() as connection:
        jobs.finish(connection, job.id, owner)


def test_a_job_brings_its_event(job: None, app: App) -> None:
    found = claim(app, "one")

    assert found is not None
    assert (found.event.kind, found.event.subject, found.attempts) == (KIND, "vera", 1)


def test_a_claimed_job_is_not_claimed_again(job: None, app: App) -> None:
    claim(app, "one")

    assert claim(app, "two") is None


def test_an_expired_lease_makes_the_job_due(job: None, app: App) -> None:
    claim(app, "one")

    found = claim(app, "two", LEASE + SECOND)

    assert found is not None
    assert found.attempts == 2


def test_a_renewed_lease_holds(job: None, app: App) -> None:
    claim(app, "one")
    with app.database.write() as connection:
        jobs.renew(connection, "one", utc_now() + LEASE)

    assert claim(app, "two", LEASE + SECOND) is None


def test_a_finished_job_is_gone(job: None, app: App, clients: Clients) -> None:
    found = claim(app, "one")
    assert found is not None

    finish(app, "one", found)

    assert pending(clients) == []


def test_who_lost_the_lease_does_not_finish_the_job(job: None, app: App, clients: Clients) -> None:
    late = claim(app, "one")
    claim(app, "two", LEASE + SECOND)
    assert late is not None

    finish(app, "one", late)

    assert len(pending(clients)) == 1


def test_who_lost_the_lease_does_not_put_the_job_back(job: None, app: App) -> None:
    late = claim(app, "one")
    claim(app, "two", LEASE + SECOND)
    assert late is not None

    with app.database.write() as connection:
        jobs.retry(connection, late, "one", "too late", utc_now())

    assert claim(app, "three", BACKOFF[0] + SECOND) is None


def test_a_failed_job_is_due_again_later(job: None, app: App, clients: Clients) -> None:
    found = claim(app, "one")
    assert found is not None
    with app.database.write() as connection:
        jobs.retry(connection, found, "one", "it broke", utc_now() + SECOND)

    assert claim(app, "one") is None
    assert claim(app, "one", BACKOFF[0] + SECOND) is not None
    assert pending(clients)[0].last_error == "it broke"


def test_a_start_releases_the_jobs_of_the_dead(job: None, app: App) -> None:
    claim(app, "dead")
    with app.database.write() as connection:
        assert jobs.release_others(connection, "alive", utc_now()) == 1

    assert claim(app, "alive") is not None


def test_a_start_keeps_its_own_jobs(job: None, app: App) -> None:
    claim(app, "alive")

    with app.database.write() as connection:
        assert jobs.release_others(connection, "alive", utc_now()) == 0


def test_another_lane_has_nothing_to_do(job: None, app: App) -> None:
    with app.database.write() as connection:
        assert jobs.claim(connection, "worker", "one", utc_now() + SECOND) is None


def test_owners_at_once_never_share_a_job(
    app: App, clients: Clients, reactions: dict[str, Reaction]
) -> None:
    for number in range(5):
        jobs.add_reaction(Reaction(f"r{number}", KIND, "server", lambda _client, _event: None))
    disable(clients.admin, "vera")
    disable(clients.admin, "ole")

    claimed = at_once(*(lambda owner=str(number): claim(app, owner) for number in range(12)))

    ids = [found.id for found in claimed if isinstance(found, Job)]
    assert len(ids) == len(set(ids)) == 10
    assert [found for found in claimed if not isinstance(found, Job)] == [None, None]


@pytest.fixture
def lane(app: App, tokens: dict[str, str]) -> Iterator[LaneThread]:
    """A thread that does the jobs of the server's lane; it is started by `let_run`."""
    thread = LaneThread(app, "server", new_id(), tokens[SERVICE])
    yield thread
    thread.stop()
    if thread.ident is not None:
        thread.join(10)


def hurry(app: App) -> None:
    """Make every waiting job due."""
    with app.database.write() as connection:
        connection.execute(jobs.job_table.update().values(due_at=utc_now()))


def let_run(lane: LaneThread, app: App, clients: Clients) -> None:
    """Run the lane until nothing is left to do."""
    if lane.ident is None:
        lane.start()

    def quiet() -> bool:
        if any(not job.running and job.attempts for job in pending(clients)):
            hurry(app)
            lane._arrived.set()
        return not pending(clients)

    wait_until(quiet, 20)


def fails(times: float) -> tuple[React, list[int]]:
    """A reaction that breaks so many times, and the record of its attempts."""
    attempts: list[int] = []

    def react(client: Client, event: Event) -> None:
        attempts.append(len(attempts) + 1)
        if len(attempts) <= times:
            raise RuntimeError("broken")

    return react, attempts


def test_a_reaction_is_done(
    app: App, clients: Clients, lane: LaneThread, reactions: object
) -> None:
    react, attempts = fails(0)
    jobs.add_reaction(Reaction("test.count", KIND, "server", react))
    disable(clients.admin, "vera")

    let_run(lane, app, clients)

    assert attempts == [1]


def test_a_broken_reaction_is_tried_again(
    app: App, clients: Clients, lane: LaneThread, reactions: object
) -> None:
    react, attempts = fails(2)
    jobs.add_reaction(Reaction("test.break", KIND, "server", react))
    disable(clients.admin, "vera")

    let_run(lane, app, clients)

    assert attempts == [1, 2, 3]
    assert "job.failed" not in story.kinds(clients.admin)


def test_a_job_that_never_succeeds_is_given_up_in_the_log(
    app: App, clients: Clients, lane: LaneThread, reactions: object
) -> None:
    react, attempts = fails(float("inf"))
    jobs.add_reaction(Reaction("test.break", KIND, "server", react))
    disable(clients.admin, "vera")

    let_run(lane, app, clients)

    assert len(attempts) == MAX_ATTEMPTS
    (event,) = story.events(clients.admin, kind="job.failed")
    assert event.facts["reaction"] == "test.break"
    assert "RuntimeError: broken" in event.facts["error"]


def test_a_refused_reaction_is_given_up_earlier(
    app: App, clients: Clients, lane: LaneThread, reactions: object
) -> None:
    attempts = itertools.count(1)

    def react(client: Client, event: Event) -> None:
        next(attempts)
        raise Invalid("no", field="name")

    jobs.add_reaction(Reaction("test.refuse", KIND, "server", react))
    disable(clients.admin, "vera")

    let_run(lane, app, clients)

    assert next(attempts) == MAX_ATTEMPTS_REFUSED + 1


def test_a_reaction_of_another_release_is_given_up(
    app: App, clients: Clients, lane: LaneThread, job: None, reactions: dict[str, Reaction]
) -> None:
    reactions.clear()

    let_run(lane, app, clients)

    (event,) = story.events(clients.admin, kind="job.failed")
    assert "no reaction 'test.note' in this release" in event.facts["error"]


def test_a_lane_outlives_a_fault_of_the_queue(
    app: App, clients: Clients, lane: LaneThread, job: None, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    faults = iter([ConnectionError("the database is away")])
    any_due = jobs.any_due

    def flaky(*args: object) -> bool:
        for fault in faults:
            raise fault
        return any_due(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "any_due", flaky)
    with caplog.at_level(logging.CRITICAL, "mainspring.dispatcher"):
        let_run(lane, app, clients)

    assert next(faults, None) is None


def test_a_reaction_that_is_done_again_after_a_crash_has_one_effect(
    app: App, clients: Clients, tokens: dict[str, str], reactions: object
) -> None:
    def react(client: Client, event: Event) -> None:
        client.call(registry.declare_suite, registry.DeclareSuite(model="m", checks=[]))
        story.open_run(client)
        request = retraining.RequestRetraining(model=story.MODEL, reason="crash test")
        client.call(retraining.request_retraining, request)

    jobs.add_reaction(Reaction("test.act", KIND, "server", react))
    story.version(clients.developer)
    policy = retraining.SetPolicy(model=story.MODEL, level=1, recipe="shop:train")
    clients.developer.call(retraining.set_policy, policy)
    disable(clients.admin, "vera")
    lanes = [LaneThread(app, "server", new_id(), tokens[SERVICE]) for _ in range(2)]

    first = claim(app, lanes[0]._owner)
    assert first is not None
    lanes[0].perform(first)  # and the process dies before it could say so
    second = claim(app, lanes[1]._owner, LEASE + SECOND)
    assert second is not None
    lanes[1].perform(second)

    listed = clients.admin.call(
        retraining.list_retrainings, retraining.ListRetrainings(model=story.MODEL)
    )
    assert len(listed) == 1
    assert story.kinds(clients.admin).count("suite.declared") == 1


def test_a_reaction_names_its_event_as_the_cause(
    app: App, clients: Clients, lane: LaneThread, reactions: object
) -> None:
    def react(client: Client, event: Event) -> None:
        story.open_run(client)

    jobs.add_reaction(Reaction("test.open", KIND, "server", react))
    disable(clients.admin, "vera")

    let_run(lane, app, clients)

    (cause,) = story.events(clients.admin, kind=KIND)
    (effect,) = story.events(clients.admin, kind="run.opened")
    assert (effect.cause, effect.actor) == (cause.id, SERVICE)


def test_only_ones_own_workspace_gives_a_job_up(
    job: None, app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    story.elsewhere(app, tokens)
    app.token_of("service", SERVICE, "service")
    (found,) = pending(clients)
    service = local_client(app, tokens[SERVICE], story.ELSEWHERE)

    request = administration.FailJob(job=found.id, error="not yours")
    assert service.call(administration.fail_job, request).count == 0
    assert len(pending(clients)) == 1


def test_two_reactions_do_not_share_a_name(reactions: object) -> None:
    jobs.add_reaction(Reaction("test.same", KIND, "server", "module:one"))

    with pytest.raises(AssertionError, match="exists"):
        jobs.add_reaction(Reaction("test.same", KIND, "server", "module:two"))
