"""Train again: fresh labelled rows, the model's own recipe, a tracked run, a promotion asked for."""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.event import Event
from mainspring.core.ids import derived_id
from mainspring.core.operation import FileClient
from mainspring.datasets.storage import read_rows
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import NameDeployment
from mainspring.monitoring.label_contract import Coverage
from mainspring.monitoring.labelled import labelled_rows
from mainspring.recording.capture import Entry
from mainspring.recording.opening import Opening, Surface, open_run
from mainspring.recording.run import Run
from mainspring.recording.watching import Watching
from mainspring.registry import contract as registry
from mainspring.registry.contract import RegisterVersion, RequestPromotion, Resolve
from mainspring.retraining import contract
from mainspring.retraining.contract import (
    Advance,
    NameModel,
    NameRetraining,
    Retraining,
    RetrainingPolicy,
)
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import FinishRun, NameRun, TrainedModel
from mainspring.tracking.files import fetched

Recipe = Callable[[Run, pa.Table], None]
MAX_RUNS = 20


def train(client: FileClient, event: Event) -> None:
    """Do one retraining; doing it again after a crash goes on where it was."""
    retraining = client.call(contract.show_retraining, NameRetraining(retraining=event.subject))
    policy = client.call(contract.show_policy, NameModel(model=retraining.model))
    if retraining.state == "validating" and retraining.version is not None:
        _ask(client, retraining, policy, retraining.version)
    if retraining.state not in ("requested", "training"):
        return
    trained = _trained(client, retraining, policy)
    if trained is None:
        return
    request = RegisterVersion(
        model=retraining.model, trained_model=trained.id, description=retraining.reason[:1000]
    )
    try:
        version = client.call(registry.register_version, request).version
    except Blocked as refusal:
        # A training of ours is held to what the workspace asks of any.
        _advance(client, retraining, state="refused", outcome=refusal.message[:2000])
        return
    _advance(client, retraining, state="validating", version=version)
    named = NameRetraining(retraining=retraining.id)
    now = client.call(contract.show_retraining, named)
    if now.state != "validating":
        return  # somebody cancelled it meanwhile
    _ask(client, now, _called_now(client, policy), version)


def _called_now(client: FileClient, policy: RetrainingPolicy) -> RetrainingPolicy:
    """The policy that was trained by, with the name that who set it has now: a training takes long."""
    now = client.call(contract.show_policy, NameModel(model=policy.model))
    return now if now.recorded_at == policy.recorded_at else policy


def _ask(
    client: FileClient, retraining: Retraining, policy: RetrainingPolicy, version: int
) -> None:
    request = RequestPromotion(
        model=retraining.model,
        version=version,
        stage="production",
        reason=retraining.reason[:1000],
        policy=policy.policy if retraining.level == 3 else None,
        # Who asked, and who chose the recipe: neither decides on what comes of it.
        on_behalf_of=sorted({retraining.requested_by, policy.set_by}),
    )
    try:
        client.call(registry.request_promotion, request)
    except Blocked as refusal:
        _advance(client, retraining, state="refused", outcome=refusal.message)
    except Conflict:
        return  # an earlier try asked, and it is decided already


def _trained(
    client: FileClient, retraining: Retraining, policy: RetrainingPolicy
) -> TrainedModel | None:
    run_id, done = _run_to_use(client, retraining)
    if done is not None:
        return done
    try:
        recipe, source = load_recipe(client, policy)
        rows, coverage = training_rows(client, retraining, policy)
        opening = Opening(
            name=f"{retraining.model} retraining",
            experiment=retraining.model,
            config={
                **policy.config,
                "training_days": policy.training_days,
                "recipe": policy.recipe,
            },
            tags={
                "retraining": retraining.id,
                "reason": retraining.reason[:1000],
                "label_coverage": f"{coverage.labelled} of {coverage.predictions} predictions",
            },
            id=run_id,
            entry=Entry(source, [policy.recipe]),
            watching=Watching(console=False),
            strict=True,
        )
        with tempfile.TemporaryDirectory() as spool:
            surface = Surface(client=client, spool=Path(spool))
            with open_run(surface, opening) as run:
                run.flush()
                _advance(client, retraining, state="training", run=run_id)
                recipe(run, rows)
    except Exception as error:  # noqa: BLE001  a recipe is foreign code
        traceback.print_exc()
        outcome = f"{type(error).__name__}: {error}"[:2000]
        _advance(client, retraining, state="failed", outcome=outcome)
        return None
    if not run.models:
        _advance(client, retraining, state="failed", outcome="the recipe logged no model")
        return None
    return run.models[-1]


def _run_to_use(client: FileClient, retraining: Retraining) -> tuple[str, TrainedModel | None]:
    """The id for the run, and its model if an earlier try got that far.

    A run that a killed process left open is ended as killed: its points may be half of a training.
    """
    for place in range(MAX_RUNS):
        run_id = derived_id("retraining run", retraining.id, str(place))
        try:
            run = client.call(tracking.show_run, NameRun(run=run_id))
        except NotFound:
            return run_id, None
        if run.status == "finished" and run.models:
            return run_id, run.models[-1]
        if run.status in ("running", "crashed"):
            client.call(tracking.finish_run, FinishRun(run=run_id, status="killed"))
    raise Invalid(f"retraining {retraining.id} was tried {MAX_RUNS} times", field="retraining")


def training_rows(
    client: FileClient, retraining: Retraining, policy: RetrainingPolicy
) -> tuple[pa.Table, Coverage]:
    """Rows of the champion's own data and the labelled ones since, of the last days alone.

    Beside them, how many of the predictions of those days have a label.
    """
    until = retraining.event_time
    since = until - dt.timedelta(days=policy.training_days)
    place = client.call(deployment.show, NameDeployment(deployment=policy.deployment))
    resolve = Resolve(model=retraining.model, reference="production")
    champion = client.call(registry.resolve, resolve)
    parts = []
    if champion.run is not None:
        run = client.call(tracking.show_run, NameRun(run=champion.run))
        parts = [
            read_rows(fetched(client, dataset.file))
            for dataset in run.datasets
            if dataset.file is not None and dataset.role in ("training", "validation", "holdout")
        ]
    base = pa.concat_tables(parts, promote_options="permissive") if parts else None
    fresh, coverage = labelled_rows(client, place, champion.signature, since, until)
    rows = _joined(base, fresh)
    rows = rows.filter(_within(rows["event_time"], since, until)).sort_by("event_time")
    if rows.num_rows == 0:
        raise Invalid(
            f"no labelled rows of {retraining.model!r} between {since:%Y-%m-%d} and "
            f"{until:%Y-%m-%d}",
            field="training_days",
        )
    return rows, coverage


def _joined(base: pa.Table | None, fresh: pa.Table) -> pa.Table:
    if base is None or "event_time" not in base.column_names:
        return fresh
    names = [name for name in base.column_names if name in fresh.column_names]
    last = base["event_time"].cast(fresh["event_time"].type).to_pylist()
    newest = max(last) if last else None
    if newest is not None and fresh.num_rows:
        fresh = fresh.filter(
            pa.compute.greater(fresh["event_time"], pa.scalar(newest, fresh["event_time"].type))
        )
    schema = base.select(names).schema
    return pa.concat_tables([base.select(names), fresh.select(names).cast(schema)])


def _within(column: pa.ChunkedArray, since: dt.datetime, until: dt.datetime) -> Any:
    low = pa.compute.greater_equal(column, pa.scalar(since, column.type))
    return pa.compute.and_(low, pa.compute.less(column, pa.scalar(until, column.type)))


def load_recipe(client: FileClient, policy: RetrainingPolicy) -> tuple[Recipe, Path | None]:
    """The training function and the file it is in."""
    name, _, function = policy.recipe.partition(":")
    if policy.recipe_file is not None:
        module = _module_of_file(name, fetched(client, policy.recipe_file, suffix=".py"))
    else:
        module = importlib.import_module(name)
    recipe: Recipe | None = getattr(module, function, None)
    if not callable(recipe):
        raise Invalid(f"{name} has no function {function!r}", field="recipe")
    source = getattr(module, "__file__", None)
    return recipe, Path(source) if source else None


def _module_of_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mainspring_recipe_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise Invalid(f"{name} is no Python file", field="recipe_file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _advance(client: FileClient, retraining: Retraining, **fields: Any) -> None:
    client.call(contract.advance, Advance(retraining=retraining.id, **fields))
