"""What the routes about runs are given, and how they speak of a run."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from mainspring.core.errors import Conflict, NotFound
from mainspring.interfaces.mlflow_api.dispatch import Call, Params
from mainspring.interfaces.mlflow_api.failure import (
    MlflowError,
    not_found,
)
from mainspring.interfaces.mlflow_api.validation import (
    check_key,
    plain_text,
)
from mainspring.tracking import search_contract
from mainspring.tracking.search_contract import SearchRuns

RUN_NAME = "mlflow.runName"
LOGGED_MODELS = "mlflow.log-model.history"
COMMIT = "mlflow.source.git.commit"
SOURCES = {
    COMMIT: "commit",
    "mlflow.source.git.branch": "branch",
    "mlflow.source.git.repoURL": "remote",
    "mlflow.source.name": "entry_point",
}
"""The tags by which MLflow's clients tell of their code, and our keys for the same."""
NATIVE = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
BY_NUMBER = dict(enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1))
_ADJECTIVES = (
    "amber", "brisk", "calm", "candid", "clever", "crisp", "daring", "eager", "fleet", "gentle",
    "golden", "keen", "lively", "lucid", "mellow", "nimble", "noble", "patient", "quiet",
    "rapid", "sable", "silent", "steady", "sunny", "swift", "vivid",
)  # fmt: skip
_NOUNS = (
    "anchor", "balance", "barrel", "beacon", "bridge", "chime", "clock", "compass", "crown",
    "dial", "escapement", "falcon", "gear", "harbor", "heron", "jewel", "lantern", "lever",
    "marlin", "otter", "pendulum", "pivot", "rotor", "sparrow", "spring", "wheel",
)  # fmt: skip
EMPTY = b"{}"
RUN_ID = re.compile("[0-9a-f]{32}")


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """A parameter or a tag."""

    key: str | None = None
    value: str | None = None


class MetricIn(msgspec.Struct, frozen=True, gc=False):
    """One value of a metric."""

    key: str | None = None
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = None
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class CreateRun(Params, frozen=True, kw_only=True):
    """runs/create."""

    experiment_id: str | None = None
    user_id: str | None = None
    start_time: int | None = None
    tags: list[KeyValue] = []
    run_name: str | None = None


class OneRun(Params, frozen=True, kw_only=True):
    """A route about one run."""

    run_id: str | None = None
    run_uuid: str | None = None

    @property
    def run(self) -> str:
        """The run's id, by its new or its old name."""
        return self.run_id or self.run_uuid or ""


class ChangeRun(OneRun, frozen=True, kw_only=True):
    """runs/update."""

    status: str | int | None = None
    end_time: int | None = None
    run_name: str | None = None


class LogMetric(OneRun, frozen=True, kw_only=True):
    """runs/log-metric."""

    key: str | None = None
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = None
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogText(OneRun, frozen=True, kw_only=True):
    """runs/log-parameter and runs/set-tag."""

    key: str | None = None
    value: str | None = None


class LogBatch(OneRun, frozen=True, kw_only=True):
    """runs/log-batch."""

    metrics: list[MetricIn] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class LogModel(OneRun, frozen=True, kw_only=True):
    """runs/log-model, of clients before MLflow 3."""

    model_json: str | None = None


@contextmanager
def speaking_of(run: str) -> Iterator[None]:
    """Say what is wrong with a run in MLflow's words."""
    if RUN_ID.fullmatch(run) is None:  # no run of ours is called that
        raise not_found(f"Run with id={run} not found")
    try:
        yield
    except NotFound as error:
        if error.field != "run":
            raise
        raise not_found(f"Run with id={run} not found") from error
    except Conflict as error:
        if error.field == "params":
            key, old, new = error.reasons
            raise MlflowError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged "
                f"with value='{old}' for run ID='{run}'. Attempted logging new value '{new}'."
            ) from error
        if error.field != "run":
            raise
        raise MlflowError(
            f"The run {run} must be in the 'active' state. Current state is deleted."
        ) from error


def found_run(call: Call, run: str) -> search_contract.FoundRun:
    """The run with everything that it logged."""
    with speaking_of(run):
        wanted = SearchRuns(filter=f"attributes.run_id = '{run}'", view="all", limit=1)
        page = call.perform(search_contract.search_runs, wanted)
        if not page.items:
            raise NotFound(f"no run {run!r}", field="run")
        return page.items[0]


def check_tag(key: str, value: str, path: str) -> None:
    """Refuse a tag that MLflow refuses."""
    check_key(key, path, "key")
    plain_text(value, path)


def code_of(tags: Mapping[str, str]) -> dict[str, str]:
    """The code that a run says it runs, in our words; nothing without a commit, which may follow."""
    if not tags.get(COMMIT):
        return {}
    return {name: tags[tag] for tag, name in SOURCES.items() if tags.get(tag)}


def some_name() -> str:
    words = (random.choice(_ADJECTIVES), random.choice(_NOUNS))  # noqa: S311  a name, no secret
    return f"{words[0]}-{words[1]}-{random.randint(1, 999)}"  # noqa: S311
