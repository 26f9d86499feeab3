"""Many small writes in one commit: each keeps its own answer, and nobody else's failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.errors import Conflict, Forbidden, Unauthenticated
from mainspring.core.ids import new_id
from mainspring.group_commit import GroupCommit
from mainspring.tracking import contract
from mainspring.tracking.contract import LogRun, NameRun
from tests import story
from tests.house import Clients


@pytest.fixture
def transport() -> str:
    """The group is called directly."""
    return "in process"


@pytest.fixture
def commits(app: App) -> list[int]:
    """One entry for each commit of the database."""
    found: list[int] = []
    event.listen(app.database.engine, "commit", lambda _connection: found.append(1))
    return found


@pytest.fixture
def group(app: App) -> Iterator[GroupCommit]:
    """A group that is not started yet: what is recorded meanwhile waits together."""
    made = GroupCommit(app)
    yield made
    made.stop()
    if made.is_alive():
        made.join(10)


def record(group: GroupCommit, *members: tuple[LogRun, str]) -> list[Any]:
    """Record all requests at once, then let the group begin."""

    async def together() -> list[Any]:
        tasks = [
            asyncio.create_task(group.record(contract.log_run, request, caller(token)))
            for request, token in members
        ]
        await asyncio.sleep(0)  # all have been put
        group.start()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(together())


def caller(token: str) -> Caller:
    return Caller(token=token, workspace="default", request_id=new_id())


def test_what_waits_together_is_committed_together(
    clients: Clients, group: GroupCommit, tokens: dict[str, str], commits: list[int]
) -> None:
    run = story.open_run(clients.developer)
    commits.clear()
    requests = [LogRun(run=run, tags={f"t{number}": "x"}) for number in range(40)]

    answers = record(group, *((request, tokens["dora"]) for request in requests))

    assert [answer.count for answer in answers] == [1] * 40
    assert len(commits) == 1
    assert len(clients.viewer.call(contract.show_run, NameRun(run=run)).tags) == 40


def test_the_failure_of_one_undoes_nothing_of_the_others(
    clients: Clients, group: GroupCommit, tokens: dict[str, str]
) -> None:
    run = story.open_run(clients.developer)
    clients.developer.call(contract.log_run, LogRun(run=run, params={"depth": "7"}))

    answers = record(
        group,
        (LogRun(run=run, params={"width": "1"}), tokens["dora"]),
        (LogRun(run=run, params={"new": "1", "depth": "8"}), tokens["dora"]),
        (LogRun(run=run, params={"other": "1"}), tokens["ada"]),
        (LogRun(run=run, params={"other": "1"}), "msp_nonsense"),
        (LogRun(run=run, params={"height": "2"}), tokens["dora"]),
    )

    kinds = [type(answer) for answer in answers]
    assert kinds[1:4] == [Conflict, Forbidden, Unauthenticated]
    assert (answers[0].count, answers[4].count) == (1, 1)
    shown = clients.viewer.call(contract.show_run, NameRun(run=run))
    assert shown.params == {"depth": "7", "width": "1", "height": "2"}


def test_a_refusal_alone_is_written_down(
    clients: Clients, group: GroupCommit, tokens: dict[str, str]
) -> None:
    run = story.open_run(clients.developer)

    (answer,) = record(group, (LogRun(run=run, tags={"a": "1"}), tokens["vera"]))

    assert isinstance(answer, Forbidden)
    refused = [one for one in story.events(clients.admin) if one.kind == "operation.refused"]
    assert [one.subject for one in refused] == ["runs.log"]
