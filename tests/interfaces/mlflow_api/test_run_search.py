"""The search routes as MLflow's clients call them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.mlflow_api.wire import Wire, done, refused

RUNS = "/api/2.0/mlflow/runs/search"
EXPERIMENTS = "/api/2.0/mlflow/experiments/search"
LOGGED_MODELS = "/api/2.0/mlflow/logged-models/search"
MODELS = "/api/2.0/mlflow/registered-models/search"
VERSIONS = "/api/2.0/mlflow/model-versions/search"


def made(wire: Wire, name: str, **more: Any) -> str:
    """A run; answers its id."""
    body = {"experiment_id": "0", "run_name": name, "start_time": 1000, **more}
    run: str = done(wire("POST", "/api/2.0/mlflow/runs/create", body))["run"]["info"]["run_id"]
    return run


def log(wire: Wire, run: str, **more: Any) -> None:
    done(wire("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run, **more}))


def names(wire: Wire, **body: Any) -> list[str]:
    found = done(wire("POST", RUNS, {"experiment_ids": ["0"], **body}))
    return [run["info"]["run_name"] for run in found.get("runs", [])]


def test_a_run_is_shown_as_mlflow_shows_it(wire: Wire) -> None:
    run = made(wire, "one", tags=[{"key": "team", "value": "a"}], user_id="me")
    metrics = [
        {"key": "loss", "value": 0.5, "timestamp": 1234, "step": 2},
        {"key": "nan", "value": "NaN", "timestamp": 1, "step": 0},
        {"key": "inf", "value": "-Infinity", "timestamp": 1, "step": 0},
    ]
    log(wire, run, metrics=metrics, params=[{"key": "depth", "value": "7"}])

    (found,) = wire("POST", RUNS, {"experiment_ids": ["0"]}).json["runs"]

    info = found["info"]
    assert (info["run_id"], info["run_uuid"], info["run_name"]) == (run, run, "one")
    assert (info["experiment_id"], info["user_id"], info["status"]) == ("0", "me", "RUNNING")
    assert (info["start_time"], info["lifecycle_stage"]) == (1000, "active")
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{run}/artifacts"
    assert "end_time" not in info
    shown = sorted(found["data"]["metrics"], key=lambda metric: metric["key"])
    assert shown == sorted(metrics, key=lambda metric: str(metric["key"]))
    assert found["data"]["params"] == [{"key": "depth", "value": "7"}]
    assert {"key": "team", "value": "a"} in found["data"]["tags"]


def test_runs_are_filtered_sorted_and_paged(wire: Wire) -> None:
    for name, loss in (("a", 0.3), ("b", 0.1), ("c", 0.2)):
        metric = {"key": "loss", "value": loss, "timestamp": 1, "step": 0}
        log(wire, made(wire, name), metrics=[metric])

    assert names(wire, filter="metrics.loss < 0.3", order_by=["metrics.loss"]) == ["b", "c"]
    body = {"experiment_ids": ["0"], "order_by": ["attributes.run_name DESC"], "max_results": 2}
    first = wire("POST", RUNS, body).json
    second = wire("POST", RUNS, {**body, "page_token": first["next_page_token"]}).json
    shown = [run["info"]["run_name"] for run in first["runs"] + second["runs"]]
    assert shown == ["c", "b", "a"]
    assert "next_page_token" not in second


@pytest.mark.parametrize("view", [{}, {"run_view_type": "ACTIVE_ONLY"}, {"run_view_type": 1}])
def test_deleted_runs_are_seen_where_they_are_asked_for(wire: Wire, view: dict[str, Any]) -> None:
    made(wire, "there")
    wire("POST", "/api/2.0/mlflow/runs/delete", {"run_id": made(wire, "gone")})

    assert names(wire, **view) == ["there"]
    assert names(wire, run_view_type="DELETED_ONLY") == ["gone"]
    assert sorted(names(wire, run_view_type="ALL")) == ["gone", "there"]


def test_no_experiments_have_no_runs(wire: Wire) -> None:
    made(wire, "one")

    assert wire("POST", RUNS, {}).json == {}
    assert wire("POST", RUNS, {"experiment_ids": ["77"]}).json == {}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_experiments_are_found(wire: Wire, method: str) -> None:
    tags = [{"key": "k", "value": "v"}]
    wire("POST", "/api/2.0/mlflow/experiments/create", {"name": "exp", "tags": tags})
    asked = {"filter": "name LIKE 'e%'", "order_by": ["name"], "max_results": 5, "view_type": "ALL"}

    answer = (
        wire("GET", EXPERIMENTS, **asked) if method == "GET" else wire("POST", EXPERIMENTS, asked)
    )

    (found,) = answer.json["experiments"]
    assert (found["name"], found["tags"], found["lifecycle_stage"]) == ("exp", tags, "active")
    assert found["artifact_location"] == f"mlflow-artifacts:/{found['experiment_id']}"
    assert found["creation_time"] <= found["last_update_time"]


def test_logged_models_are_found(wire: Wire) -> None:
    created = wire(
        "POST", "/api/2.0/mlflow/logged-models", {"experiment_id": "0", "name": "lm"}
    ).json["model"]
    body = {
        "experiment_ids": ["0"],
        "filter": "name = 'lm'",
        "order_by": [
            {"field_name": "metrics.a b`c", "ascending": False, "dataset_name": "d"},
            {"field_name": "creation_time"},
        ],
    }

    assert wire("POST", LOGGED_MODELS, body).json == {"models": [created]}
    asked = {"experiment_ids": ["0"], "datasets": [{"dataset_name": "d"}]}
    assert wire("POST", LOGGED_MODELS, asked).json == {}


def test_models_and_versions_are_found_and_prompts_only_if_asked_for(wire: Wire) -> None:
    create = "/api/2.0/mlflow/registered-models/create"
    prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    fruit = {"key": "fruit", "value": "apple"}
    wire("POST", create, {"name": "model", "tags": [fruit]})
    wire("POST", create, {"name": "prompt", "tags": [prompt, fruit]})
    version = {"name": "model", "source": "s3://bucket/a"}
    wire("POST", "/api/2.0/mlflow/model-versions/create", version)

    def found(text: str) -> list[str]:
        answer = wire("GET", MODELS, filter=text)
        return [model["name"] for model in answer.json.get("registered_models", [])]

    assert found("") == ["model"]
    assert found("tags.fruit = 'apple'") == ["model"]
    assert found("tags.`mlflow.prompt.is_prompt` != 'true'") == ["model"]
    assert found("tags.`mlflow.prompt.is_prompt` = 'false' AND name LIKE 'm%'") == ["model"]
    assert found("tags.`mlflow.prompt.is_prompt` = 'true' AND tags.fruit = 'apple'") == ["prompt"]
    (shown,) = wire("GET", VERSIONS, filter="name = 'model'").json["model_versions"]
    assert (shown["name"], shown["version"], shown["source"]) == ("model", "1", "s3://bucket/a")
    (latest,) = wire("GET", MODELS).json["registered_models"][0]["latest_versions"]
    assert latest["version"] == "1"


BAD: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", RUNS, {"max_results": 123456789}, "Invalid value 123456789 for parameter 'max_results'"),
    ("POST", RUNS, {"max_results": 0}, "It must be a positive integer"),
    ("POST", RUNS, {"max_results": -1}, "It must be a positive integer"),
    ("POST", RUNS, {"max_results": "many"}, "Invalid value \"many\" for parameter 'max_results'"),
    ("POST", RUNS, {"experiment_ids": "0"}, "for parameter 'experiment_ids'"),
    ("POST", RUNS, {"experiment_ids": [1]}, "for parameter 'experiment_ids[0]'"),
    ("POST", RUNS, {"filter": 5}, "for parameter 'filter'"),
    ("POST", RUNS, {"order_by": "a"}, "for parameter 'order_by'"),
    ("POST", RUNS, {"order_by": [5]}, "for parameter 'order_by[0]'"),
    ("POST", RUNS, {"order_by": ["a" * 20_000]}, "Invalid attribute key"),
    ("POST", RUNS, {"run_view_type": "SOME"}, "for parameter 'run_view_type'"),
    ("POST", RUNS, {"run_view_type": 7}, "for parameter 'run_view_type'"),
    ("POST", RUNS, {"run_view_type": "²"}, "for parameter 'run_view_type'"),
    ("POST", RUNS, {"page_token": "evilhax"}, "Invalid page token, could not base64-decode"),
    ("POST", RUNS, {"filter": "metrics.A > 0.1 OR params.B = 'x'"}, "Invalid clause(s) in filter"),
    ("POST", RUNS, {"filter": "params.a = 'a\x00'"}, "filter"),
    ("POST", EXPERIMENTS, {"max_results": 0}, "It must be a positive integer"),
    ("POST", EXPERIMENTS, {"max_results": 1_000_000}, "It must be at most 50000"),
    ("POST", EXPERIMENTS, {"filter": "metrics.a > 1"}, "Invalid entity type"),
    ("POST", EXPERIMENTS, {"order_by": ["size"]}, "Invalid attribute key"),
    ("POST", LOGGED_MODELS, {"experiment_ids": None}, "Missing value for required parameter"),
    ("POST", LOGGED_MODELS, {"filter": "Foo"}, "Invalid filter string"),
    ("POST", LOGGED_MODELS, {"datasets": [{}]}, "`dataset_name` in the `datasets` clause must be"),
    ("POST", LOGGED_MODELS, {"order_by": [{}]}, "`field_name` in the `order_by` clause must be"),
    ("POST", LOGGED_MODELS, {"order_by": [{"field_name": "x"}]}, "Invalid order by field name"),
    ("POST", LOGGED_MODELS, {"order_by": [{"field_name": "metrics.`\""}]}, "Invalid order_by clause"),
    ("GET", MODELS, {"max_results": 1001}, "for parameter 'max_results'"),
    ("GET", MODELS, {"filter": "run_id = 'a'"}, "Invalid attribute key 'run_id' specified"),
    ("GET", MODELS, {"order_by": "creation_timestamp DESC"}, "Invalid order by key"),
    ("GET", VERSIONS, {"max_results": 200_001}, "for parameter 'max_results'"),
    ("GET", VERSIONS, {"filter": "run_id IN (1,2,3)"}, "but got different type in list"),
    ("GET", VERSIONS, {"page_token": "evilhax"}, "Invalid page token, could not base64-decode"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "route", "asked", "message"), BAD)
def test_what_cannot_be_asked_is_refused_in_mlflows_words(
    wire: Wire, method: str, route: str, asked: dict[str, Any], message: str
) -> None:
    body = {"experiment_ids": ["0"], **asked}

    answer = wire("GET", route, **asked) if method == "GET" else wire("POST", route, body)

    refused(answer, 400, "INVALID_PARAMETER_VALUE", message)
