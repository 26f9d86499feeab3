"""Runs: created, changed, deleted."""

from __future__ import annotations

from typing import Any

from mainspring.core.clock import from_micros
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.ids import new_id
from mainspring.interfaces.mlflow_api import entities
from mainspring.interfaces.mlflow_api.dispatch import Call, route
from mainspring.interfaces.mlflow_api.failure import (
    MlflowError,
    invalid_value,
    not_found,
)
from mainspring.interfaces.mlflow_api.run_params import (
    BY_NUMBER,
    EMPTY,
    NATIVE,
    RUN_NAME,
    ChangeRun,
    CreateRun,
    OneRun,
    check_tag,
    code_of,
    found_run,
    some_name,
    speaking_of,
)
from mainspring.interfaces.mlflow_api.validation import (
    check_moment,
    plain_text,
)
from mainspring.tracking import contract
from mainspring.tracking.contract import (
    LogRun,
    NameRun,
    OpenRun,
    UpdateRun,
)


@route("POST", "2.0/mlflow/runs/create", CreateRun)
def create(call: Call, params: CreateRun) -> dict[str, Any]:
    """Open a run; what has no name gets one."""
    tags = {tag.key or "": tag.value or "" for tag in params.tags}
    for key, value in tags.items():
        check_tag(key, value, "tags")
    named = tags.get(RUN_NAME)
    if params.run_name and named and params.run_name != named:
        raise MlflowError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
            f"different values (run_name='{params.run_name}', mlflow.runName='{named}')."
        )
    name = plain_text(params.run_name or named or some_name(), "run_name")
    start = params.start_time or 0
    check_moment(start, "start_time")
    request = OpenRun(
        id=new_id(),
        experiment_id=plain_text(params.experiment_id or "0", "experiment_id"),
        name=name,
        user=plain_text(params.user_id or "", "user_id"),
        tags={**tags, RUN_NAME: name},
        parent=tags.get("mlflow.parentRunId"),
        code=code_of(tags),
        started_at=from_micros(start * 1000) if params.start_time is not None else None,
        watched=False,
    )
    try:
        call.perform(contract.open_run, request)
    except NotFound as error:
        raise not_found(f"No Experiment with id={request.experiment_id} exists") from error
    except Conflict as error:
        raise MlflowError(
            f"The experiment {request.experiment_id} must be in the 'active' state. "
            "Current state is deleted."
        ) from error
    return {"run": entities.run_entity(found_run(call, request.id))}


@route("GET", "2.0/mlflow/runs/get", OneRun, required=("run_id",))
def get(call: Call, params: OneRun) -> dict[str, Any]:
    """One run."""
    return {"run": entities.run_entity(found_run(call, params.run))}


@route("POST", "2.0/mlflow/runs/update", ChangeRun, required=("run_id",))
def update(call: Call, params: ChangeRun) -> dict[str, Any]:
    """Change status, end or name."""
    status: Any = params.status
    if status is not None:
        status = NATIVE.get(str(BY_NUMBER.get(status, status)))
        if status is None:
            raise invalid_value("status", params.status)
    if params.end_time is not None:
        check_moment(params.end_time, "end_time")
    ended = None if params.end_time is None else from_micros(params.end_time * 1000)
    name = plain_text(params.run_name or "", "run_name") or None
    with speaking_of(params.run):
        request = UpdateRun(run=params.run, status=status, name=name, ended_at=ended)
        call.perform(contract.update_run, request)
        if name:
            tags = {RUN_NAME: name}
            call.perform(contract.log_run, LogRun(run=params.run, tags=tags))
    return {"run_info": entities.run_info(found_run(call, params.run))}


@route("POST", "2.0/mlflow/runs/delete", OneRun, required=("run_id",))
def delete(call: Call, params: OneRun) -> bytes:
    """Delete a run; it can be restored."""
    with speaking_of(params.run):
        call.perform(contract.delete_run, NameRun(run=params.run))
    return EMPTY


@route("POST", "2.0/mlflow/runs/restore", OneRun, required=("run_id",))
def restore(call: Call, params: OneRun) -> bytes:
    """Bring a deleted run back."""
    with speaking_of(params.run):
        call.perform(contract.restore_run, NameRun(run=params.run))
    return EMPTY
