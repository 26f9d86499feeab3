"""What the server refuses, and how the client hears of it."""

from __future__ import annotations

import os
from collections.abc import Callable

import mlflow
import pandas as pd
import pytest
from client_side import REQUIREMENTS, refused
from sklearn.linear_model import LogisticRegression

VIEWER = os.environ["FLOW_VIEWER"]
"""The API token of a person who may read and nothing else."""
GUARDED = os.environ["FLOW_GUARDED"]
"""The name of a model with a suite for production."""
Client = mlflow.MlflowClient
LONG = "x" * 600

WRONG: dict[str, tuple[str, Callable[[Client, str], object]]] = {
    "no such run": ("RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_run("0" * 32)),
    "not a run id": ("RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_run("nope")),
    "no such experiment": (
        "RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_experiment("123456"),
    ),
    "a run in no experiment": (
        "RESOURCE_DOES_NOT_EXIST", lambda client, _: client.create_run("123456"),
    ),
    "no such model": (
        "RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_registered_model("nothing"),
    ),
    "no such version": (
        "RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_model_version("nothing", "1"),
    ),
    "no such logged model": (
        "RESOURCE_DOES_NOT_EXIST", lambda client, _: client.get_logged_model("m-" + "0" * 32),
    ),
    "a key with odd signs": (
        "INVALID_PARAMETER_VALUE", lambda client, run: client.log_param(run, "a\n$", 1),
    ),
    "a key that is too long": (
        "INVALID_PARAMETER_VALUE", lambda client, run: client.log_metric(run, LONG, 1),
    ),
    "a filter that is none": (
        "INVALID_PARAMETER_VALUE", lambda client, _: client.search_runs(["0"], "metrics.m = 'x"),
    ),
    "an order that is none": (
        "INVALID_PARAMETER_VALUE",
        lambda client, _: client.search_runs(["0"], order_by=["metrics.m SIDEWAYS"]),
    ),
    "a page token that is none": (
        "INVALID_PARAMETER_VALUE", lambda client, _: client.search_runs(["0"], page_token="zz"),
    ),
    "a page that is too large": (
        "INVALID_PARAMETER_VALUE", lambda client, _: client.search_runs(["0"], max_results=60_000),
    ),
    "a model name with a slash": (
        "INVALID_PARAMETER_VALUE", lambda client, _: client.create_registered_model("a/b"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused(client: Client, experiment: str, what: str) -> None:
    code, attempt = WRONG[what]
    run_id = client.create_run(experiment).info.run_id

    with refused(code):
        attempt(client, run_id)


def test_a_way_out_of_the_folder_is_refused(client: Client, experiment: str) -> None:
    run_id = client.create_run(experiment).info.run_id

    with pytest.raises(Exception, match=r"400 .*Invalid path"):
        client.list_artifacts(run_id, "../x")


def test_a_stage_that_is_none_is_refused(client: Client) -> None:
    client.create_registered_model("stageless")
    client.create_model_version("stageless", "s3://bucket/model")

    with refused("INVALID_PARAMETER_VALUE", "Moon"):
        client.transition_model_version_stage("stageless", "1", "Moon")


def test_a_parameter_keeps_its_first_value(client: Client, experiment: str) -> None:
    run_id = client.create_run(experiment).info.run_id
    client.log_param(run_id, "a", 1)
    client.log_param(run_id, "a", 1)

    with refused("INVALID_PARAMETER_VALUE", "'a'"):
        client.log_param(run_id, "a", 2)
    assert client.get_run(run_id).data.params == {"a": "1"}


def test_a_protected_stage_says_what_is_missing(
    client: Client, experiment: str, classifier: LogisticRegression, iris: pd.DataFrame
) -> None:
    with mlflow.start_run():
        mlflow.log_input(mlflow.data.from_pandas(iris, name="iris"), context="training")
        mlflow.sklearn.log_model(
            classifier,
            name="model",
            pip_requirements=REQUIREMENTS,
            registered_model_name=GUARDED,
        )

    with refused("PERMISSION_DENIED", "recorded no hold-out data") as caught:
        client.transition_model_version_stage(GUARDED, "1", "Production")
    assert f"mainspring promote {GUARDED}@1 --to production" in str(caught.value)
    assert client.get_model_version(GUARDED, "1").current_stage == "None"
    client.transition_model_version_stage(GUARDED, "1", "Staging")
    assert client.get_model_version(GUARDED, "1").current_stage == "Staging"


SIGN_INS = {
    "token": {"MLFLOW_TRACKING_TOKEN": VIEWER},
    "password": {"MLFLOW_TRACKING_USERNAME": "vera", "MLFLOW_TRACKING_PASSWORD": VIEWER},
}


@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_a_viewer_reads_and_writes_nothing(
    client: Client, experiment: str, monkeypatch: pytest.MonkeyPatch, sign_in: str
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "n.txt")
    run_id = run.info.run_id
    for variable, value in SIGN_INS[sign_in].items():
        monkeypatch.setenv(variable, value)

    assert client.get_run(run_id).info.status == "FINISHED"
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/n.txt") == "hello"
    attempts: list[Callable[[], object]] = [
        lambda: client.create_experiment("of a viewer"),
        lambda: client.create_run(experiment),
        lambda: client.log_metric(run_id, "m", 1),
        lambda: client.log_batch(run_id, params=[mlflow.entities.Param("a", "b")]),
        lambda: client.set_tag(run_id, "t", "v"),
        lambda: client.delete_run(run_id),
        lambda: client.create_registered_model("of a viewer"),
        lambda: client.create_webhook("w", "https://example.com/", ["prompt.created"]),
    ]
    for attempt in attempts:
        with refused("PERMISSION_DENIED"):
            attempt()
    with pytest.raises(Exception, match="403"):
        client.log_text(run_id, "x", "x.txt")


@pytest.mark.parametrize("token", ["nonsense", "msp_000000000000_" + "0" * 48])
def test_a_wrong_token_is_no_sign_in(
    client: Client, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)

    with refused("UNAUTHENTICATED"):
        client.search_experiments()
