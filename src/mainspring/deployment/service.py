"""What should be served is recorded here; the supervisor makes it so and reports."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.administration.actor_store import predictors
from mainspring.core.errors import Blocked, Conflict, NotFound
from mainspring.core.name_patterns import fits
from mainspring.core.signature import Signature
from mainspring.core.work import Work, performs
from mainspring.deployment import contract
from mainspring.deployment.contract import Deployment, Placement
from mainspring.deployment.store import DeploymentStore, deployment_of, process_of, serving_of
from mainspring.registry.store import RegistryStore, checked_standing
from mainspring.serving.log_policy import LogPolicy

NO_KEY = "0" * 32
"""Stands for the key that is made where the deployment runs."""


def _store(work: Work) -> DeploymentStore:
    return DeploymentStore(work.connection, work.workspace_id)


@performs(contract.start)
def start(work: Work, request: contract.StartDeployment) -> Deployment:
    """Serve what is in the stage; nothing that passed no gate is ever served."""
    store, name = _store(work), request.name or request.model
    registry = RegistryStore(work.connection, work.workspace_id)
    version = registry.staged(request.model, request.stage)
    if version is None:
        raise NotFound(
            f"no version of {request.model!r} is in {request.stage!r}: nothing to serve",
            field="stage",
            fix=f"mainspring promote {request.model}@VERSION --to {request.stage}",
        )
    _refuse_unproven(registry, version, request.stage)
    known = store.find(name)
    if known is not None and (known.model, known.stage) != (request.model, request.stage):
        raise Conflict(f"deployment {name!r} serves {known.model} {known.stage}", field="name")
    _check_serving(request.serving, version)
    serving = msgspec.to_builtins(request.serving)
    values = {"wanted": "running", "version": version.number, "serving": serving}
    if known is None:
        fixed = {"name": name, "model": request.model, "stage": request.stage, "restarts": 0}
        more = {"state": "starting", "message": "", "recorded_at": work.now}
        store.add({**fixed, **more, **values})
    elif known.wanted != "running":
        store.update(known.id, {**values, "state": "starting"})
    elif serving_of(known) != request.serving and request.serving != contract.Serving():
        raise Conflict(
            f"deployment {name!r} runs, and serves in another way",
            field="serving",
            fix=f"mainspring deploy stop {name}, then start it as wanted",
        )
    else:
        return deployment_of(known)
    work.announce(
        "deployment.requested", ("deployment", name), request.model, version=version.number
    )
    return deployment_of(store.row(name))


def _check_serving(serving: contract.Serving, version: Any) -> None:
    """Refuse a log that contradicts itself, or names what the model does not have."""
    policy = LogPolicy(
        redact=tuple(serving.log_redact),
        hashed=tuple(serving.log_hash),
        key=NO_KEY,
        entity_key=serving.entity_key,
    )
    policy.check()
    if version.signature:
        policy.check_against(msgspec.convert(version.signature, Signature))


def _refuse_unproven(registry: RegistryStore, version: Any, stage: str) -> None:
    """Where no suite is declared, anything may be moved into a stage; it is not served for that."""
    checked_standing(version)
    if not registry.admitted(version, stage):
        name = f"{version.model}@{version.number}"
        raise Blocked(
            f"{name} is in {stage} and has passed no gate: it is not served",
            [f"{name} has to be promoted to {stage}"],
            fix=f"declare a suite, then: mainspring promote {name} --to {stage}",
        )


@performs(contract.stop)
def stop(work: Work, request: contract.NameDeployment) -> Deployment:
    """Stop serving; the supervisor ends the process."""
    store = _store(work)
    row = store.row(request.deployment)
    if row.wanted != "stopped":
        store.update(row.id, {"wanted": "stopped", "state": "stopping"})
        work.announce("deployment.stopping", ("deployment", row.name), row.model)
    return deployment_of(store.row(request.deployment))


@performs(contract.show)
def show(work: Work, request: contract.NameDeployment) -> Deployment:
    """One deployment."""
    return deployment_of(_store(work).row(request.deployment))


@performs(contract.list_deployments)
def list_deployments(work: Work, request: contract.ListDeployments) -> list[Deployment]:
    """By name."""
    return [deployment_of(row) for row in _store(work).rows(request.limit, work.actor.models)]


@performs(contract.roll_out)
def roll_out(work: Work, request: contract.RollOut) -> Deployment:
    """Want another version, which has to be in the stage."""
    store = _store(work)
    row = store.row(request.deployment)
    registry = RegistryStore(work.connection, work.workspace_id)
    version = registry.version_row(row.model, request.version)
    if version.stage != row.stage:
        raise Blocked(
            f"{row.model}@{request.version} is in {version.stage}, and {row.name!r} serves "
            f"{row.stage} alone",
            [f"{row.model}@{request.version} has to be promoted to {row.stage}"],
            fix=f"mainspring promote {row.model}@{request.version} --to {row.stage}",
        )
    _refuse_unproven(registry, version, row.stage)
    if row.version != request.version:
        store.update(row.id, {"version": request.version})
        work.announce(
            "rollout.requested",
            ("deployment", row.name),
            row.model,
            version=request.version,
            replaces=row.version,
        )
    return deployment_of(store.row(request.deployment))


@performs(contract.placements)
def placements(work: Work, request: contract.ListDeployments) -> list[Placement]:
    """What should run, and who may ask it."""
    tokens = predictors(work.connection, work.workspace_id, work.now)
    return [
        Placement(
            deployment=deployment_of(row),
            process=process_of(row),
            tokens=sorted(one for one, patterns in tokens.items() if fits(row.name, patterns)),
        )
        for row in _store(work).rows(request.limit)
    ]


@performs(contract.report)
def report(work: Work, request: contract.Report) -> Deployment:
    """Record what is seen, and announce what changed."""
    store = _store(work)
    row = store.row(request.deployment)
    values: dict[str, Any] = {"state": request.state, "message": request.message}
    if request.process is not None:
        values["process"] = msgspec.to_builtins(request.process)
    if request.served is not None:
        values["served"] = request.served
    if request.restarted:
        values["restarts"] = row.restarts + 1
    if request.replaced:
        values["restarts"] = row.restarts + len(request.replaced)
    store.update(row.id, values)
    for kind, facts in _changes(row, request):
        work.announce(kind, ("deployment", row.name), row.model, **facts)
    return deployment_of(store.row(request.deployment))


def _changes(row: Any, request: contract.Report) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    if request.restarted:
        told.append(("deployment.restarted", {"message": request.message}))
    told += [("deployment.restarted", {"message": reason}) for reason in request.replaced]
    if request.served is not None and request.served != row.served:
        told.append(("rollout.finished", {"version": request.served, "replaced": row.served}))
    if request.rollout_failed and request.message != row.message:
        told.append(("rollout.failed", {"version": row.version, "message": request.message}))
    if request.state != row.state and request.state in ("ready", "failed", "stopped"):
        told.append((f"deployment.{request.state}", {"message": request.message}))
    return told
