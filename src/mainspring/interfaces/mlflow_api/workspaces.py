"""Workspaces as MLflow's clients list them; they are made and furnished with people by our own API."""

from __future__ import annotations

from typing import Any

from mainspring.administration import contract as administration
from mainspring.core.errors import Conflict
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.failure import already_exists, not_found


class OneWorkspace(Params, frozen=True, kw_only=True):
    """A workspace by its name."""

    workspace_name: str | None = None
    name: str | None = None


@route("GET", "3.0/mlflow/workspaces", Params)
def list_workspaces(call: Call, params: Params) -> dict[str, Any]:
    """The workspaces, for those who administer them."""
    return {"workspaces": [_shown(name) for name in _names(call)]}


@route("GET", "3.0/mlflow/workspaces/{workspace_name}", OneWorkspace)
def get_workspace(call: Call, params: OneWorkspace) -> dict[str, Any]:
    """One workspace."""
    if params.workspace_name not in _names(call):
        raise not_found(f"Workspace '{params.workspace_name}' not found")
    return {"workspace": _shown(str(params.workspace_name))}


@route("POST", "3.0/mlflow/workspaces", OneWorkspace, required=("name",))
def create_workspace(call: Call, params: OneWorkspace) -> dict[str, Any]:
    """A new workspace, which its maker administers."""
    try:
        made = ask(call, administration.create_workspace, name=params.name)
    except Conflict as error:
        raise already_exists(f"Workspace '{params.name}' already exists.") from error
    return {"workspace": _shown(made.name)}


def _names(call: Call) -> list[str]:
    return [
        one.name for one in call.perform(administration.list_workspaces, administration.Nothing())
    ]


def _shown(name: str) -> dict[str, str]:
    return {"name": name, "description": ""}
