"""Runs with every oddity that a search meets, and the search of them in plain Python."""

from __future__ import annotations

import datetime as dt
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select

from mainspring.app import App, workspace_key
from mainspring.core.clock import to_micros
from mainspring.core.grammar import Comparison, Order
from mainspring.tracking.tables import (
    dataset_table,
    experiment_table,
    metric_table,
    param_table,
    run_dataset_table,
    run_table,
    tag_table,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
STATES = ["running", "scheduled", "finished", "failed", "killed", "crashed"]
NUMBERS = [0.0, 1.0, 1.0, 2.5, -3.0, math.inf, -math.inf, None, 1e-300, 0.1 + 0.2]
TEXTS = [
    "a",
    "A",
    "ab",
    "aB",
    "a%b",
    "a_b",
    "a*b",
    "a[b",
    "a?b",
    "",
    "zz",
    "é",
    "a\\b",
    "b'c",
    "\n",
]
FOLDS = {"metric": "last", "min_metric": "minimum", "best_metric": "best", "count_metric": "count"}
EXPERIMENTS = ("11", "22")
DATASETS = [("flights", "d1"), ("flights", "d2"), ("Weather", "d3")]


@dataclass(frozen=True, slots=True)
class Beast:
    """One run."""

    key: int
    id: str
    experiment: str
    name: str
    status: str
    user: str
    started: dt.datetime
    ended: dt.datetime | None
    deleted: bool
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: frozenset[tuple[int, str]] = frozenset()
    """Which of the DATASETS it used, and what for."""


def bred(count: int, seed: int = 1) -> list[Beast]:
    """So many runs, the same for the same seed, and others for another."""
    rnd = random.Random(seed)
    return [_one(rnd, key) for key in range(seed * 1000, seed * 1000 + count)]


def _one(rnd: random.Random, key: int) -> Beast:
    started = START + dt.timedelta(milliseconds=rnd.choice([1, 2, 2, 3, 1000, 5000]))
    ended = rnd.choice([None, started + dt.timedelta(microseconds=rnd.choice([1, 1500]))])
    return Beast(
        key=key,
        id=f"{rnd.getrandbits(128):032x}",
        experiment=rnd.choice(EXPERIMENTS),
        name=rnd.choice(TEXTS),
        status=rnd.choice(STATES),
        user=rnd.choice(["ada", "bob"]),
        started=started,
        ended=ended,
        deleted=rnd.random() < 0.2,
        metrics={name: _metric(rnd) for name in ("loss", "auc") if rnd.random() < 0.7},
        params={name: rnd.choice(TEXTS) for name in ("p", "q q") if rnd.random() < 0.7},
        tags={"team": rnd.choice(["x", "y"]), **({"rare": "1"} if rnd.random() < 0.1 else {})},
        datasets=frozenset(
            (rnd.randrange(3), rnd.choice(["train", "test", ""]))
            for _ in range(rnd.choice([0, 0, 2]))
        ),
    )


def _metric(rnd: random.Random) -> dict[str, Any]:
    columns = ("first", "last", "minimum", "maximum", "best")
    return {name: rnd.choice(NUMBERS) for name in columns} | {"count": rnd.choice([1, 2, 9])}


def driven_in(app: App, herd: Sequence[Beast]) -> int:
    """Put the runs into the default workspace as they are; answers the workspace's key."""
    with app.database.write() as connection:
        workspace = workspace_key(connection, "default")
        experiments = [
            {"workspace_id": workspace, "public_id": name, "name": name, "recorded_at": START}
            for name in EXPERIMENTS
        ]
        connection.execute(insert(experiment_table), experiments)
        datasets = [
            {"id": key, "workspace_id": workspace, "name": name, "digest": digest, "columns": [],
             "source": "", "recorded_at": START}
            for key, (name, digest) in enumerate(DATASETS)
        ]  # fmt: skip
        connection.execute(insert(dataset_table), datasets)
    drive_in(app, workspace, herd)
    return workspace


def drive_in(app: App, workspace: int, herd: Sequence[Beast]) -> None:
    """Put more runs into the experiments that are there."""
    with app.database.write() as connection:
        table = experiment_table.c
        found = connection.execute(select(table.public_id, table.id))
        keys = {row[0]: row[1] for row in found}
        connection.execute(insert(run_table), [_row(one, workspace, keys) for one in herd])
        metrics = [
            _metric_row(one.key, number, name, metric)
            for one in herd
            for number, (name, metric) in enumerate(one.metrics.items())
        ]
        connection.execute(insert(metric_table), metrics)
        for texts, name in ((param_table, "params"), (tag_table, "tags")):
            rows = [
                {"run_id": one.key, "key": key, "value": value}
                for one in herd
                for key, value in getattr(one, name).items()
            ]
            connection.execute(insert(texts), rows)
        links = [
            {"run_id": one.key, "dataset_id": dataset, "role": role}
            for one in herd
            for dataset, role in one.datasets
        ]
        connection.execute(insert(run_dataset_table), links)


def _row(one: Beast, workspace: int, experiments: dict[str, int]) -> dict[str, Any]:
    return {
        "id": one.key, "workspace_id": workspace, "public_id": one.id, "name": one.name,
        "experiment_id": experiments[one.experiment], "status": one.status, "user": one.user,
        "author": "dora", "author_kind": "person", "attested": True, "opened_at": START,
        "started_at": one.started, "finished_at": None, "ended_at": one.ended,
        "heartbeat_at": START, "watched": False, "config": {}, "code": {}, "environment": {},
        "deleted_at": START if one.deleted else None,
    }  # fmt: skip


def _metric_row(run: int, number: int, key: str, metric: dict[str, Any]) -> dict[str, Any]:
    places = {"best_step": 0, "first_step": 0, "last_step": 7, "bucket_size": 0}
    times = {"first_at": START, "last_at": START}
    return {"run_id": run, "number": number, "key": key, **metric, **places, **times}


def expected(
    herd: Sequence[Beast], comparisons: Sequence[Comparison], orders: Sequence[Order]
) -> list[str]:
    """The ids of the runs that fit, in order."""
    fitting = [one for one in herd if all(fits(one, said) for said in comparisons)]
    fitting.sort(key=lambda one: one.id)
    if not any(order.key == "start_time" for order in orders):
        fitting.sort(key=lambda one: one.started, reverse=True)
    for order in reversed(orders):
        fitting.sort(key=_place(order))
    return [one.id for one in fitting]


def _place(order: Order) -> Callable[[Beast], Any]:
    def place(one: Beast) -> Any:
        rank, value = _ranked(one, order)
        return (rank, _Turned(value) if not order.ascending and value is not None else value)

    return place


class _Turned:
    """A value that sorts the other way round."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Turned) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Turned) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


def _ranked(one: Beast, order: Order) -> tuple[int, Any]:
    if order.kind in ("attribute", "param", "tag"):
        value = _text(one, order.kind, order.key)
        if isinstance(value, str):
            value = value.encode()
        return (2, None) if value is None else (0, value)
    metric = one.metrics.get(order.key)
    if metric is None:
        return 2, None
    value = metric[FOLDS[order.kind]]
    return (1, None) if value is None else (0, value)


def _text(one: Beast, kind: str, key: str) -> Any:
    if kind == "param":
        return one.params.get(key)
    if kind == "tag":
        return one.tags.get(key)
    attributes = {
        "run_id": one.id,
        "run_name": one.name,
        "user_id": one.user,
        "status": one.status,
        "artifact_uri": f"mlflow-artifacts:/{one.experiment}/{one.id}/artifacts",
        "start_time": to_micros(one.started),
        "end_time": None if one.ended is None else to_micros(one.ended),
    }
    return attributes[key]


def fits(one: Beast, said: Comparison) -> bool:
    """Whether a run is as was said."""
    if said.kind.endswith("metric"):
        metric = one.metrics.get(said.key)
        return metric is not None and _sized(metric[FOLDS[said.kind]], said)
    if said.kind == "dataset":
        return any(_like(word, said) for word in _words(one, said.key))
    value = _text(one, said.kind, said.key)
    if said.comparator in ("IS NULL", "IS NOT NULL"):
        return (value is None) == (said.comparator == "IS NULL")
    if said.key in ("start_time", "end_time"):
        return value is not None and _sized(value // 1000, said)
    if said.key == "status":
        value = value.upper().replace("CRASHED", "FAILED")
    return value is not None and _like(value, said)


def _words(one: Beast, key: str) -> list[str]:
    if key == "context":
        return [role for _, role in one.datasets if role]
    return [DATASETS[dataset][("name", "digest").index(key)] for dataset, _ in one.datasets]


def _sized(value: float | None, said: Comparison) -> bool:
    wanted: Any = said.value
    if value is None:
        return said.comparator == "!="
    fitting: dict[str, bool] = {
        "=": value == wanted, "!=": value != wanted, "<": value < wanted, "<=": value <= wanted,
        ">": value > wanted, ">=": value >= wanted,
    }  # fmt: skip
    return fitting[said.comparator]


def _like(value: str, said: Comparison) -> bool:
    wanted: Any = said.value
    if said.comparator in ("IN", "NOT IN"):
        return bool(value in wanted) == (said.comparator == "IN")
    if said.comparator in ("=", "!="):
        return bool(value == wanted) == (said.comparator == "=")
    pattern = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in wanted)
    flags = re.DOTALL | (re.IGNORECASE if said.comparator == "ILIKE" else 0)
    return re.fullmatch(pattern, value, flags) is not None
