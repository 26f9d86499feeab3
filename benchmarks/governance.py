"""What access costs each request: the pure check, and the query that finds who asks and what they may.

    python benchmarks/governance.py [--people N] [--database URL]

N people (1000) with a role each stand in 50 groups, some of them denied a verb. Medians of many rounds,
in this process; with --database postgresql://... on that (empty) database.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert

from mainspring.administration.actor_store import find_actor
from mainspring.administration.tables import (
    denial_table,
    grant_table,
    group_member_table,
    group_role_table,
    group_table,
    principal_table,
)
from mainspring.app import App
from mainspring.core.access import Actor, Caller
from mainspring.core.clock import utc_now
from mainspring.core.settings import Settings

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


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = App(Settings(home=Path(folder), database=given.database))
        app.prepare()
        plain = app.token_of("person", "ada", "admin")
        furnish(app, given.people)
        grouped = app.token_of("person", f"p{1000}", "viewer")
        actor = Actor("person", 1, "ada", frozenset({"read", "log"}), scopes=frozenset({"read"}))
        print(
            f"may                              {median_us(lambda: actor.may('read'), 2000):8.2f} us"
        )
        with app.database.read() as connection:
            for name, token in (("one role", plain), ("role, group, denial", grouped)):
                caller = Caller(token=token, workspace="default", request_id="x")
                now = utc_now()

                def find(caller: Caller = caller) -> object:
                    return find_actor(connection, caller, now)  # noqa: B023

                print(f"find_actor, {name:<20} {median_us(find):8.2f} us")
        app.close()


if __name__ == "__main__":
    main()
