"""Experiments as MLflow's clients meet them."""

from __future__ import annotations

import pytest

from tests.interfaces.mlflow_api.wire import API, Wire, done, experiment, refused, run

INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
TAGS = [{"key": "a/b", "value": "c"}, {"key": "d", "value": ""}]


def shown(wire: Wire, key: str) -> dict[str, object]:
    found: dict[str, object] = done(wire("GET", f"{API}/experiments/get", experiment_id=key))[
        "experiment"
    ]
    return found


def test_the_default_experiment_is_there_from_the_first_moment(wire: Wire) -> None:
    found = shown(wire, "0")

    assert found["name"] == "Default"
    assert (found["lifecycle_stage"], found["artifact_location"]) == (
        "active",
        "mlflow-artifacts:/0",
    )
    assert found["creation_time"] == found["last_update_time"]


def test_an_experiment_is_created_and_found(wire: Wire) -> None:
    key = experiment(wire, "/Users/ana", artifact_location="s3://b/?a=b", tags=TAGS)

    by_name = done(wire("GET", f"{API}/experiments/get-by-name", experiment_name="/Users/ana"))

    assert by_name["experiment"] == shown(wire, key)
    assert by_name["experiment"]["artifact_location"] == "s3://b/?a=b"
    assert by_name["experiment"]["tags"] == TAGS


def test_a_name_that_is_taken_is_no_conflict_but_a_bad_request(wire: Wire) -> None:
    key = experiment(wire)
    again = {"name": "delays"}

    refused(wire("POST", f"{API}/experiments/create", again), 400, "RESOURCE_ALREADY_EXISTS")
    done(wire("POST", f"{API}/experiments/delete", {"experiment_id": key}))
    refused(wire("POST", f"{API}/experiments/create", again), 400, "RESOURCE_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Missing value for required parameter 'name'."),
        ({"name": ""}, "Missing value for required parameter 'name'."),
        ({"name": 123}, "Invalid value 123 for parameter 'name'"),
        ({"name": "x" * 501}, "'name' exceeds the maximum length of 500 characters"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a", "artifact_location": 9.0}, "Invalid value 9.0 for parameter 'artifact_loc"),
        ({"name": "a", "artifact_location": "s3://b#c"}, "can't include fragments or params"),
        ({"name": "a", "artifact_location": "http://b/c;d"}, "can't include fragments or params"),
        ({"name": "a", "artifact_location": "s3://b/?a=../c"}, "Invalid query string"),
        ({"name": "a", "artifact_location": "s3://b/?a=%2e%2e/c"}, "Invalid query string"),
        ({"name": "a", "artifact_location": "runs:/abc"}, "cannot be a runs:/ URI"),
        ({"name": "a", "artifact_location": "http://[/"}, "artifact location"),
        ({"name": "a", "artifact_location": "s3://" + "b" * 3000}, "Invalid artifact path length"),
        ({"name": "a", "tags": "5"}, "Invalid value \"5\" for parameter 'tags'"),
        ({"name": "a", "tags": [{"key": "", "value": "b"}]}, ""),
        ({"name": "a", "tags": [{"key": "k", "value": "\x00"}]}, "value"),
    ],
)
def test_an_experiment_that_will_not_do_is_refused(wire: Wire, body: object, words: str) -> None:
    refused(wire("POST", f"{API}/experiments/create", body), 400, INVALID, words)


def test_what_is_not_here_is_not_found(wire: Wire) -> None:
    get, by_name = f"{API}/experiments/get", f"{API}/experiments/get-by-name"

    refused(wire("GET", get, experiment_id="7"), 404, MISSING, "No Experiment with id=7 exists")
    refused(wire("GET", get, experiment_id="a b"), 400, INVALID, "Invalid experiment ID 'a b'")
    refused(wire("GET", get, experiment_id="\x00"), 400, INVALID, "Invalid experiment ID")
    refused(wire("GET", by_name, experiment_name="x"), 404, MISSING, "with name 'x'")
    refused(wire("GET", by_name, experiment_name="\x00"), 404, MISSING)
    refused(wire("GET", by_name), 400, INVALID, "'experiment_name'")


def test_an_experiment_is_renamed(wire: Wire) -> None:
    key = experiment(wire)

    done(wire("POST", f"{API}/experiments/update", {"experiment_id": key, "new_name": "late"}))

    assert shown(wire, key)["name"] == "late"


def test_a_new_name_has_to_be_free_and_the_experiment_active(wire: Wire) -> None:
    key, update = experiment(wire), f"{API}/experiments/update"
    asked = {"experiment_id": key, "new_name": "Default"}

    refused(wire("POST", update, asked), 400, "RESOURCE_ALREADY_EXISTS")
    refused(wire("POST", update, {"experiment_id": key}), 400, INVALID, "'new_name'")
    refused(wire("POST", update, {**asked, "experiment_id": "7"}), 404, MISSING)
    done(wire("POST", f"{API}/experiments/delete", {"experiment_id": key}))
    renamed = {"experiment_id": key, "new_name": "late"}
    refused(wire("POST", update, renamed), 400, INVALID, "Cannot rename a non-active experiment")


def test_runs_go_and_come_back_with_their_experiment(wire: Wire) -> None:
    key = experiment(wire)
    made, named = run(wire, key)["run_id"], {"experiment_id": key}

    done(wire("POST", f"{API}/experiments/delete", named))
    gone = done(wire("GET", f"{API}/runs/get", run_id=made))["run"]["info"]["lifecycle_stage"]
    refused(wire("POST", f"{API}/experiments/delete", named), 404, MISSING)
    done(wire("POST", f"{API}/experiments/restore", named))

    back = done(wire("GET", f"{API}/runs/get", run_id=made))["run"]["info"]["lifecycle_stage"]
    refused(wire("POST", f"{API}/experiments/restore", named), 404, MISSING)
    assert (gone, back) == ("deleted", "active")


def test_tags_are_set_and_deleted(wire: Wire) -> None:
    key = experiment(wire, tags=TAGS)
    set_tag, delete_tag = (f"{API}/experiments/{verb}-experiment-tag" for verb in ("set", "delete"))

    done(wire("POST", set_tag, {"experiment_id": key, "key": "d", "value": "1\n2"}))
    done(wire("POST", delete_tag, {"experiment_id": key, "key": "a/b"}))

    assert shown(wire, key)["tags"] == [{"key": "d", "value": "1\n2"}]
    gone = wire("POST", delete_tag, {"experiment_id": key, "key": "a/b"})
    refused(gone, 404, MISSING, f"No tag with name: a/b in experiment with id {key}")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"key": ""}, 400),
        ({"key": "a" * 251, "value": "b"}, 400),
        ({"key": "../a", "value": "b"}, 400),
        ({"key": "a", "value": "b" * 20_001}, 400),
        ({"key": "a", "value": "\x00"}, 400),
        ({"key": "a", "value": "b", "experiment_id": "7"}, 404),
    ],
)
def test_a_tag_that_will_not_do_is_refused(wire: Wire, fields: dict[str, str], status: int) -> None:
    answer = wire("POST", f"{API}/experiments/set-experiment-tag", {"experiment_id": "0", **fields})

    refused(answer, status, INVALID if status == 400 else MISSING)


def test_a_deleted_experiment_takes_no_tags(wire: Wire) -> None:
    key = experiment(wire)
    done(wire("POST", f"{API}/experiments/delete", {"experiment_id": key}))

    for verb in ("set", "delete"):
        body = {"experiment_id": key, "key": "a", "value": "b"}
        answer = wire("POST", f"{API}/experiments/{verb}-experiment-tag", body)
        refused(answer, 400, INVALID, "must be in the 'active' state")


@pytest.mark.parametrize("path", ["/api/2.0/mlflow", "/api/2.0mlflow", "/ajax-api/2.0/mlflow"])
def test_the_datasets_of_experiments_are_found(wire: Wire, path: str) -> None:
    for context in ([{"key": "mlflow.data.context", "value": "training"}], []):
        dataset = {"name": "d", "digest": "1", "source_type": "http", "source": "{}"}
        inputs = [{"dataset": dataset, "tags": context}]
        body = {"run_id": run(wire)["run_id"], "datasets": inputs}
        done(wire("POST", f"{API}/runs/log-inputs", body))

    found = done(wire("POST", f"{path}/experiments/search-datasets", {"experiment_ids": ["0"]}))

    plain = {"experiment_id": "0", "name": "d", "digest": "1"}
    assert found == {"dataset_summaries": [plain, {**plain, "context": "training"}]}


def test_the_experiments_of_datasets_have_to_be_named(wire: Wire) -> None:
    search = f"{API}/experiments/search-datasets"

    refused(wire("POST", search, {}), 400, INVALID, "at least one experiment_id")
    many = {"experiment_ids": [str(number) for number in range(21)]}
    refused(wire("POST", search, many), 400, INVALID, "more than 20 experiment_ids")
    assert done(wire("POST", search, {"experiment_ids": ["\x00", "7"]})) == {}


def test_who_only_reads_changes_nothing(wires: dict[str, Wire]) -> None:
    answer = wires["vera"]("POST", f"{API}/experiments/create", {"name": "delays"})

    refused(answer, 403, "PERMISSION_DENIED", "needs the permission 'log'")
