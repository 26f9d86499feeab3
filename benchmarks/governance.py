"""What governance costs: access checks, the event log, a promotion's way, searches by grant.

    python -m benchmarks.governance [--people N] [--models N] [--database URL]

N people (1000) with a role each stand in 50 groups, some of them denied a verb; N models (10,000) of a
hundred teams. Medians of many rounds, in this process; with --database postgresql://... on that (empty)
database. What is left out for a comparison is left out in this process alone.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from mainspring.administration import contract as administration
from mainspring.administration.actor_store import find_actor
from mainspring.administration.contract import CreateToken
from mainspring.administration.tables import (
    denial_table,
    grant_table,
    group_member_table,
    group_role_table,
    group_table,
    principal_table,
)
from mainspring.app import App, LocalClient
from mainspring.core import event_log, jobs
from mainspring.core.access import Actor, Caller
from mainspring.core.clock import utc_now
from mainspring.core.operation import FileClient
from mainspring.core.settings import Settings
from mainspring.registry.search_contract import SearchModels, search_models
from mainspring.registry.tables import model_table
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import LogRun, Point
from tests import story
from tests.house import Front, remote_client

ROUNDS, CALLS, GROUPS = 200, 50, 50


def median_us(call: Callable[[], object], calls: int = CALLS) -> float:
    """The median of the mean of some calls, in microseconds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - start) / calls * 1e6)
    return statistics.median(found)


def furnish(app: App, people: int) -> None:
    """Fill the tables of people, groups and denials."""
    now = utc_now()
    common = {"recorded_at": now}
    keys = range(1000, 1000 + people)
    with app.database.write() as connection:
        connection.execute(
            insert(principal_table),
            [{"id": key, "kind": "person", "name": f"p{key}", **common} for key in keys],
        )
        given = {"workspace_id": 1, "granted_by": "x", **common}
        connection.execute(
            insert(grant_table), [{"principal_id": key, "role": "viewer", **given} for key in keys]
        )
        groups = range(1, GROUPS + 1)
        connection.execute(
            insert(group_table),
            [{"id": key, "workspace_id": 1, "name": f"g{key}", **common} for key in groups],
        )
        connection.execute(
            insert(group_role_table),
            [{"group_id": key, "role": "developer", "granted_by": "x", **common} for key in groups],
        )
        connection.execute(
            insert(group_member_table),
            [
                {
                    "principal_id": key,
                    "workspace_id": 1,
                    "group_id": key % GROUPS + 1,
                    "added_by": "x",
                    **common,
                }
                for key in keys
            ],
        )
        connection.execute(
            insert(denial_table),
            [
                {"workspace_id": 1, "principal_id": key, "verb": "log", "denied_by": "x", **common}
                for key in keys[::10]
            ],
        )


@contextmanager
def left_out(place: object, name: str, instead: Callable[..., Any]) -> Iterator[None]:
    """Do without something for a while, to see what it costs."""
    kept = getattr(place, name)
    setattr(place, name, instead)
    try:
        yield
    finally:
        setattr(place, name, kept)


def turn_about(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """The medians of two calls that take turns, in milliseconds: the machine is the same to both."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for place, call in enumerate((first, second)):
            start = time.perf_counter()
            call()
            found[place].append((time.perf_counter() - start) * 1e3)
    return statistics.median(found[0]), statistics.median(found[1])


def checks_of_a_point(app: App, token: str, client: FileClient, how: str) -> None:
    """A point with its access check, and with the caller known beforehand."""
    run = story.open_run(client)
    steps = itertools.count()

    def log() -> None:
        point = Point(key="loss", value=0.5, step=next(steps), at=utc_now())
        client.call(tracking.log_run, LogRun(run=run, points=[point]))

    with app.database.read() as connection:
        caller = Caller(token=token, workspace="default", request_id="x")
        known = find_actor(connection, caller, utc_now())
    module = sys.modules["mainspring.app"]

    def without() -> None:
        with left_out(module, "find_actor", lambda *_: known):
            log()

    checked, free = turn_about(log, without)
    share = 100 * (checked - free) / free
    print(f"log_metric {how:<21} {checked:8.3f} ms ({share:+.1f} % over one that is not checked)")


def promotions(people: dict[str, LocalClient]) -> None:
    """From the request to the decision, with the event log and without."""
    story.declare(people["dora"])
    numbers = [story.version(people["dora"]).number for _ in range(2)]
    promoted = itertools.cycle(numbers)

    def promote() -> None:
        promotion = story.ask(people["dora"], next(promoted))
        story.say(people["mainspring"], promotion.id)
        assert story.approve(people["paul"], promotion.id).state == "promoted"

    def without() -> None:
        with left_out(event_log, "append", lambda *_: 0), left_out(jobs, "enqueue", lambda *_: 0):
            promote()

    logged, silent = turn_about(promote, without)
    share = 100 * (logged - silent) / silent
    print(f"promotion, request to decision   {logged:8.2f} ms ({share:+.1f} % over one unlogged)")


def searches(app: App, count: int) -> None:
    """A page of models for a token that sees all, and for one that sees a hundredth."""
    now = utc_now()
    with app.database.write() as connection:
        connection.execute(
            insert(model_table),
            [
                {
                    "workspace_id": 1, "name": f"team{number % 100:02}-model{number}", "owner": "x",
                    "team": "", "risk_tier": "low", "description": "", "recorded_at": now,
                }
                for number in range(count)
            ],
        )  # fmt: skip
    admin = LocalClient(app, app.token_of("person", "ada", "admin"))
    limited = admin.call(administration.create_token, CreateToken(owner="ada", models=["team07-*"]))
    one_team = LocalClient(app, limited.token)
    for name, request in (
        ("a page of 100", SearchModels()),
        ("by name", SearchModels(filter="name LIKE '%model99%'")),
    ):
        whole, part = turn_about(
            lambda request=request: admin.call(search_models, request),  # type: ignore[misc]
            lambda request=request: one_team.call(search_models, request),  # type: ignore[misc]
        )
        print(f"search {count} models, {name:<14} {whole:8.2f} ms, one team of 100 {part:.2f} ms")
    seen = {one.name for one in one_team.call(search_models, SearchModels(limit=1000)).items}
    assert seen
    assert all(name.startswith("team07-") for name in seen)


def finding(app: App, tokens: dict[str, str]) -> None:
    """Who a token proves and what they may, in one query."""
    actor = Actor("person", 1, "ada", frozenset({"read", "log"}), scopes=frozenset({"read"}))
    print(f"may                              {median_us(lambda: actor.may('read'), 2000):8.2f} us")
    with app.database.read() as connection:
        for name, token in tokens.items():
            caller = Caller(token=token, workspace="default", request_id="x")
            now = utc_now()

            def find(caller: Caller = caller) -> object:
                return find_actor(connection, caller, now)  # noqa: B023

            print(f"find_actor, {name:<20} {median_us(find):8.2f} us")


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = App(Settings(home=Path(folder), database=given.database))
        app.prepare()
        plain = app.token_of("person", "ada", "admin")
        furnish(app, given.people)
        grouped = app.token_of("person", f"p{1000}", "viewer")
        finding(app, {"one role": plain, "role, group, denial": grouped})
        roles = {"dora": "developer", "paul": "approver"}
        tokens = {name: app.token_of("person", name, role) for name, role in roles.items()}
        tokens["mainspring"] = app.token_of("service", "mainspring", "service")
        people = {name: LocalClient(app, token) for name, token in tokens.items()}
        checks_of_a_point(app, tokens["dora"], people["dora"], "in process")
        front = Front()
        front.start()
        remote = remote_client(front.show(app), tokens["dora"])
        checks_of_a_point(app, tokens["dora"], remote, "over HTTP")
        remote.close()
        front.stop()
        promotions(people)
        searches(app, given.models)
        app.close()


if __name__ == "__main__":
    main()
