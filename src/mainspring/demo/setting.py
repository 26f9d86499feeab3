"""What stands before the year begins: gate, first model, approval, deployment, monitors, policy."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mainspring.administration import contract as administration
from mainspring.administration.contract import AddPerson, CreateToken
from mainspring.demo import recipe
from mainspring.demo.flights import FEATURES, Flights
from mainspring.demo.story import Story
from mainspring.interfaces.sdk.client import Client, Pending
from mainspring.interfaces.sdk.endpoint import Endpoint
from mainspring.registry import contract as registry
from mainspring.registry.contract import NamePolicy, ProposePolicy
from mainspring.registry.model import ModelVersion
from mainspring.retraining.policy import LEVELS, Level

MODEL = "flights-late"
POLICY = "flights-late-by-itself"
SECOND_PERSON = "ada"
RECIPE = "mainspring.demo.recipe:train"
MARGIN = 0.01
CHECKS: dict[str, dict[str, object]] = {
    "performance": {"metric": "auc", "minimum": 0.6},
    "data": {},
    "latency": {"p99_ms": 50},
    "non_inferiority": {"margin": MARGIN},
}
"""The gate before production. AUC 0.6 is well above chance and no more than a first model needs."""
RUNBOOK = """# {title}

**What to check.** Is the traffic what it was ({command})? Did one column move, or many?

**Impact.** Passengers are told of delays that do not come, or not told of those that do.

**Remedy.** Let the retraining run; if it is refused, roll back: mainspring rollback {model}@VERSION
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the year is played with."""

    author: Client
    approver: Client
    endpoint: Endpoint
    first: ModelVersion


def rows_of(flights: Flights, chosen: np.ndarray) -> pa.Table:
    """Features, label, event time and request id of the chosen flights, in the order of time."""
    places = np.flatnonzero(chosen)
    columns: dict[str, pa.Array] = {
        name: pa.array(flights.inputs[name][places]) for name in FEATURES
    }
    columns["label"] = pa.array(flights.late[places].astype(np.float64))
    columns["event_time"] = pa.array(flights.scheduled_at[places], pa.timestamp("us", "UTC"))
    columns["request_id"] = pa.array([flights.request_id[place] for place in places])
    return pa.table(columns)


def second_person(author: Client, url: str) -> Client:
    """A second person with a token of their own: nobody approves their own work."""
    author.call(
        administration.add_person, AddPerson(name=SECOND_PERSON, roles=["approver", "viewer"])
    )
    made = author.call(administration.create_token, CreateToken(owner=SECOND_PERSON, days=30))
    return Client(url=url, token=made.token)


def prepare(author: Client, flights: Flights, story: Story, choices: tuple[int, Level]) -> Setting:
    """Everything up to the first day of March."""
    seed, level = choices
    assert author.url is not None
    approver = second_person(author, author.url)
    story.chapter("1  The gate is declared, before any training")
    suite = author.suite(MODEL, checks=CHECKS, approvals=1)
    story.tell(
        f"  production asks for: {', '.join(CHECKS)}, and one approval by a second person\n"
        f"  recorded {suite.recorded_at:%H:%M:%S} UTC as {suite.digest[:19]}"
    )
    first = _first_version(author, flights, story, seed)
    story.chapter("3  Promotion: checks run by themselves, a second person approves")
    outcome = author.promote(first, to="production", reason="the first model")
    assert isinstance(outcome, Pending)
    for verdict in outcome.promotion.verdicts:
        story.tell(f"  {verdict.check}: {verdict.outcome}; {verdict.reason}")
    promoted = approver.approve(outcome, reason="the checks passed, the numbers are plausible")
    story.tell(f"  approved by {promoted.approvals[-1].person}; now in production")
    story.chapter("4  Deployment, monitors, retraining policy")
    endpoint = author.deploy(MODEL)
    story.tell(f"  version {first.version} answers at {endpoint.url} (Open Inference Protocol v2)")
    _watch(author)
    _automate(author, approver, level, seed)
    story.tell(
        f"  monitors: AUC drop, data drift, prediction drift\n  level {level}: {LEVELS[level]}"
    )
    return Setting(author, approver, endpoint, first)


def _first_version(author: Client, flights: Flights, story: Story, seed: int) -> ModelVersion:
    story.chapter("2  A first model learns from January and February")
    rows = rows_of(flights, flights.month <= 2)
    with author.run(MODEL, experiment=MODEL, config={"seed": seed, "months": [1, 2]}) as run:
        recipe.train(run, rows)
    version = author.register(run, MODEL)
    story.tell(
        f"  {len(rows):,} flights, {np.mean(rows['label'].to_numpy()):.1%} of them late\n"
        f"  run {run.id[:8]} recorded parameters, metrics for each round, data, code, packages\n"
        f"  registered as {MODEL}@{version.version}, {version.own_digest()[:19]}"
    )
    return version


def _watch(author: Client) -> None:
    books = {"auc-drop": "The model ranks worse", "drift": "The traffic has changed"}
    for name, title in books.items():
        command = f"mainspring monitor windows --deployment {MODEL}"
        author.runbook(name, RUNBOOK.format(title=title, command=command, model=MODEL))
    # The AUC of 7 days, its whole interval more than 0.02 below the hold-out's, on 3 of 5 days.
    author.monitor(
        MODEL, kind="performance", metric="auc_drop", threshold=0.02, breaches=3, windows=5,
        runbook="auc-drop", action="incident",
    )  # fmt: skip
    # More than a tenth of the columns beyond chance and habit, on 5 of 7 days.
    author.monitor(
        MODEL, kind="data_drift", metric="share", threshold=0.10, breaches=5, windows=7,
        runbook="drift",
    )  # fmt: skip
    author.monitor(
        MODEL, kind="prediction_drift", metric="score", threshold=1.0, breaches=3, windows=5,
        runbook="drift",
    )  # fmt: skip


def _automate(author: Client, approver: Client, level: Level, seed: int) -> None:
    if level == 3:
        proposal = ProposePolicy(name=POLICY, model=MODEL, days=90, max_promotions=20)
        author.call(registry.propose_policy, proposal)
        approver.call(registry.approve_policy, NamePolicy(policy=POLICY))
    author.retrain_policy(
        MODEL,
        level=level,
        recipe=RECIPE,
        config={"seed": seed},
        on=["performance", "data_drift"],
        training_days=366,
        cooldown_days=14,
        policy=POLICY if level == 3 else None,
    )


def moment(micros: int) -> dt.datetime:
    """The aware moment of microseconds UTC."""
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC)
