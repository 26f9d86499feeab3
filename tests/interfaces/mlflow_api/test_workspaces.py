"""Workspaces over MLflow's API: listed, made, and chosen by a header."""

from __future__ import annotations

from tests.interfaces.mlflow_api.wire import Wire, done, refused

API = "/api/3.0/mlflow/workspaces"


def test_a_workspace_is_made_once_and_listed(wires: dict[str, Wire]) -> None:
    assert done(wires["ada"]("POST", API, {"name": "team"}))["workspace"]["name"] == "team"

    names = [one["name"] for one in done(wires["ada"]("GET", API))["workspaces"]]
    assert sorted(names) == ["default", "team"]
    assert done(wires["ada"]("GET", f"{API}/team"))["workspace"]["name"] == "team"
    refused(wires["ada"]("GET", f"{API}/nobody"), 404, "RESOURCE_DOES_NOT_EXIST", "nobody")
    refused(wires["ada"]("POST", API, {"name": "team"}), 400, "RESOURCE_ALREADY_EXISTS", "team")


def test_only_administrators_see_them_all(wire: Wire) -> None:
    refused(wire("GET", API), 403, "PERMISSION_DENIED", "admin")
