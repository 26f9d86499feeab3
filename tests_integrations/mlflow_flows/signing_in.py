"""How a client signs in: by a name and a password, by a token in either's place, in a workspace."""

from __future__ import annotations

import os
from collections.abc import Callable

import mlflow
import pytest
from client_side import refused

VIEWER = os.environ["FLOW_VIEWER"]
"""The API token of Vera, who may read and nothing else."""
PASSWORD = os.environ["FLOW_PASSWORD"]
"""Her password."""
ROOM = os.environ["FLOW_ROOM"]
"""Another workspace, in which she may do more."""
WAYS = {
    "a name and its password": ("vera", PASSWORD, None),
    "a token as the password": ("anybody", VIEWER, None),
    "a token": (None, None, VIEWER),
}


SignIn = Callable[..., None]


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """Set what MLflow's users set."""

    def given(name: str | None, password: str | None, token: str | None = None) -> None:
        values = {"USERNAME": name, "PASSWORD": password, "TOKEN": token}
        for key, value in values.items():
            if value is None:
                monkeypatch.delenv(f"MLFLOW_TRACKING_{key}", raising=False)
            else:
                monkeypatch.setenv(f"MLFLOW_TRACKING_{key}", value)

    return given


@pytest.mark.parametrize("way", WAYS)
def test_it_is_whoever_signed_in(sign_in: SignIn, client: mlflow.MlflowClient, way: str) -> None:
    sign_in(*WAYS[way])

    assert client.get_experiment("0").name == "Default"
    with refused("PERMISSION_DENIED"):
        client.create_experiment(f"not by {way}")


@pytest.mark.parametrize(
    "given",
    [("vera", f"{PASSWORD}!"), ("nobody", PASSWORD), ("vera", VIEWER[:-1])],
    ids=["another password", "another name", "half a token"],
)
def test_nobody_else_is(
    sign_in: SignIn, client: mlflow.MlflowClient, given: tuple[str, str]
) -> None:
    sign_in(*given)

    with refused("UNAUTHENTICATED"):
        client.get_experiment("0")


def test_a_wrong_token_is_nobody_either(sign_in: SignIn, client: mlflow.MlflowClient) -> None:
    sign_in(None, None, f"{VIEWER[:-1]}x")

    with refused("UNAUTHENTICATED"):
        client.get_experiment("0")


@pytest.mark.parametrize("way", WAYS)
def test_a_workspace_is_chosen_by_its_header(
    sign_in: SignIn, client: mlflow.MlflowClient, way: str
) -> None:
    sign_in(*WAYS[way])
    mlflow.set_workspace(ROOM)

    try:
        made = client.create_experiment(f"there by {way}")
        assert client.get_experiment(made).name == f"there by {way}"
    finally:
        mlflow.set_workspace(None)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_experiment(made)
