"""Logged models, inputs and outputs, and uploads in parts, as MLflow's clients meet them."""

from __future__ import annotations

import pytest

from mainspring.core.blobs import digest_of
from mainspring.tracking import model_contract
from mainspring.tracking.model_contract import NameTrainedModel
from tests.house import Clients
from tests.interfaces.mlflow_api.wire import (
    AJAX,
    API,
    PARTS,
    PROXY,
    Answer,
    Wire,
    done,
    experiment,
    logged_model,
    refused,
    run,
)

INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
MODELS = f"{API}/logged-models"
NOBODY = f"m-{'0' * 32}"
DATASET = {"name": "d", "digest": "1", "source_type": "http", "source": "{}"}


def shown(wire: Wire, model: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = done(wire("GET", f"{MODELS}/{model}"))["model"]
    return found


def finalize(wire: Wire, model: str, status: object = "LOGGED_MODEL_READY") -> Answer:
    return wire("PATCH", f"{MODELS}/{model}", {"status": status})


def test_a_logged_model_is_created_pending(wire: Wire) -> None:
    source = run(wire)["run_id"]
    made = logged_model(
        wire, name="trees", model_type="LLM", source_run_id=source,
        params=[{"key": "p", "value": "1"}], tags=[{"key": "t", "value": "2"}],
    )  # fmt: skip

    found = shown(wire, str(made["model_id"]))

    assert found["info"] == made
    assert (made["status"], made["name"], made["model_type"]) == (
        "LOGGED_MODEL_PENDING", "trees", "LLM",
    )  # fmt: skip
    assert made["source_run_id"] == source
    assert made["artifact_uri"] == f"mlflow-artifacts:/0/models/{made['model_id']}/artifacts"
    assert made["tags"] == [{"key": "t", "value": "2"}]
    assert found["data"] == {"params": [{"key": "p", "value": "1"}]}


def test_a_source_run_may_be_elsewhere(wire: Wire) -> None:
    assert logged_model(wire, source_run_id="123")["source_run_id"] == "123"
    assert logged_model(wire, source_run_id="0" * 32)["source_run_id"] == "0" * 32


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "'experiment_id'"),
        ({"experiment_id": "7"}, 404, "No Experiment with id=7 exists"),
        ({"experiment_id": "\x00"}, 400, "Invalid experiment ID"),
        ({"experiment_id": "0", "name": "a/b"}, 400, "Invalid model name ('a/b') provided"),
        ({"experiment_id": "0", "name": "a\x00b"}, 400, "name"),
        ({"experiment_id": "0", "name": 5}, 400, "Invalid value 5 for parameter 'name'"),
        ({"experiment_id": "0", "params": "5"}, 400, "parameter 'params'"),
        ({"experiment_id": "0", "params": [{"key": "", "value": "x"}]}, 400, "params"),
        ({"experiment_id": "0", "tags": [{"key": "k", "value": "\x00"}]}, 400, "tags"),
        ({"experiment_id": "0", "source_run_id": "\x00"}, 400, "source_run_id"),
        ({"experiment_id": "0", "source_run_id": "x" * 251}, 400, "claimed_run"),
    ],
)
def test_a_model_that_will_not_do_is_refused(
    wire: Wire, body: object, status: int, words: str
) -> None:
    code = INVALID if status == 400 else MISSING

    refused(wire("POST", MODELS, body), status, code, words)


def test_a_deleted_experiment_takes_no_model(wire: Wire) -> None:
    key = experiment(wire)
    done(wire("POST", f"{API}/experiments/delete", {"experiment_id": key}))

    answer = wire("POST", MODELS, {"experiment_id": key})

    refused(answer, 400, INVALID, "must be in the 'active' state")


@pytest.mark.parametrize("ready", ["LOGGED_MODEL_READY", 2, "2"])
def test_a_model_gets_ready_with_its_files(wire: Wire, clients: Clients, ready: object) -> None:
    made = logged_model(wire)
    root = str(made["artifact_uri"]).removeprefix("mlflow-artifacts:/")
    for path in ("MLmodel", "data/weights"):
        done(wire("PUT", f"{PROXY}/{root}/{path}", b"bytes"))

    finalized = done(finalize(wire, str(made["model_id"]), ready))["model"]

    assert finalized["info"]["status"] == "LOGGED_MODEL_READY"
    native = NameTrainedModel(id=str(made["model_id"])[2:])
    trained = clients.viewer.call(model_contract.show_trained, native)
    assert [file.path for file in trained.files] == ["MLmodel", "data/weights"]
    later = wire("PUT", f"{PROXY}/{root}/MLmodel", b"other bytes")
    assert later.status == 200
    mended = clients.viewer.call(model_contract.show_trained, native)
    assert mended.digest != trained.digest
    failed = done(finalize(wire, str(made["model_id"]), "LOGGED_MODEL_UPLOAD_FAILED"))["model"]
    assert failed["info"]["status"] == "LOGGED_MODEL_UPLOAD_FAILED"


@pytest.mark.parametrize("status", [None, 0, 9, "9" * 50, "READY", -1, 1.5, [], {}])
def test_a_status_that_there_is_not_is_refused(wire: Wire, status: object) -> None:
    refused(finalize(wire, str(logged_model(wire)["model_id"]), status), 400, INVALID, "status")


def test_a_model_that_is_ready_is_not_pending_again(wire: Wire) -> None:
    made = str(logged_model(wire)["model_id"])
    done(finalize(wire, made, 1))
    done(finalize(wire, made))

    refused(finalize(wire, made, 1), 400, INVALID, "cannot become pending again")


@pytest.mark.parametrize("model", [NOBODY, "m-1", "x", "0" * 32, "%00", "m-%00", "%FF"])
def test_a_model_that_is_not_here_is_not_found(wire: Wire, model: str) -> None:
    one, tags = f"{MODELS}/{model}", [{"key": "a", "value": "b"}]

    for answer in (
        wire("GET", one),
        wire("PATCH", one, {"status": "LOGGED_MODEL_READY"}),
        wire("DELETE", one),
        wire("PATCH", f"{one}/tags", {"tags": tags}),
        wire("DELETE", f"{one}/tags/a"),
        wire("POST", f"{one}/params", {"params": tags}),
        wire("GET", f"{one}/artifacts/directories"),
        wire("GET", f"{AJAX}/logged-models/{model}/artifacts/files",
             artifact_file_path="a"),
    ):  # fmt: skip
        refused(answer, 404, MISSING, "not found")


def test_a_deleted_model_is_gone_for_who_does_not_ask(wire: Wire) -> None:
    made = str(logged_model(wire)["model_id"])
    done(wire("DELETE", f"{MODELS}/{made}"))

    refused(wire("GET", f"{MODELS}/{made}"), 404, MISSING, f"'{made}' not found")
    assert done(wire("GET", f"{MODELS}/{made}", allow_deleted="true"))["model"]
    refused(wire("GET", f"{MODELS}/{made}", allow_deleted="maybe"), 400, INVALID)


def test_tags_and_parameters_are_added(wire: Wire) -> None:
    made = str(logged_model(wire, tags=[{"key": "a", "value": "1"}])["model_id"])

    done(wire("PATCH", f"{MODELS}/{made}/tags", {"tags": [{"key": "b/c", "value": ""}]}))
    done(wire("DELETE", f"{MODELS}/{made}/tags/a"))
    done(wire("POST", f"{MODELS}/{made}/params", {"params": [{"key": "p", "value": "1"}]}))

    assert shown(wire, made)["info"]["tags"] == [{"key": "b/c", "value": ""}]
    assert shown(wire, made)["data"]["params"] == [{"key": "p", "value": "1"}]
    gone = wire("DELETE", f"{MODELS}/{made}/tags/a")
    refused(gone, 404, MISSING, f"No tag with key 'a' found for model with ID '{made}'.")
    changed = wire("POST", f"{MODELS}/{made}/params", {"params": [{"key": "p", "value": "2"}]})
    refused(changed, 400, INVALID, "Changing param values is not allowed")


def test_the_files_of_a_model_are_listed_and_downloaded(wire: Wire) -> None:
    made = logged_model(wire)
    model, files = made["model_id"], f"{AJAX}/logged-models/{made['model_id']}"
    root = str(made["artifact_uri"]).removeprefix("mlflow-artifacts:/")
    done(wire("PUT", f"{PROXY}/{root}/a/b.txt", b"bytes"))
    folders = f"{MODELS}/{model}/artifacts/directories"

    assert done(wire("GET", folders)) == {
        "root_uri": made["artifact_uri"], "files": [{"path": "a", "is_dir": True}],
    }  # fmt: skip
    assert done(wire("GET", folders, artifact_directory_path="a"))["files"] == [
        {"path": "a/b.txt", "is_dir": False, "file_size": 5}
    ]
    file = wire("GET", f"{files}/artifacts/files", artifact_file_path="a/b.txt")
    assert file.body == b"bytes"
    unsaid = wire("GET", f"{files}/artifacts/files")
    refused(unsaid, 400, "BAD_REQUEST", 'must include the "artifact_file_path"')


def test_a_run_shows_what_it_took_in_and_brought_out(wire: Wire) -> None:
    key = run(wire)["run_id"]
    taken, brought = (str(logged_model(wire)["model_id"]) for _ in range(2))
    tags = [{"key": "foo", "value": "baz"}, {"key": "mlflow.data.context", "value": "train"}]
    inputs = {"datasets": [{"dataset": DATASET, "tags": tags}], "models": [{"model_id": taken}]}

    done(wire("POST", f"{API}/runs/log-inputs", {"run_id": key, **inputs}))
    outputs = [{"model_id": brought, "step": 3}]
    done(wire("POST", f"{API}/runs/outputs", {"run_id": key, "models": outputs}))

    found = done(wire("GET", f"{API}/runs/get", run_id=key))["run"]
    assert found["inputs"]["dataset_inputs"] == [{"tags": tags, "dataset": DATASET}]
    assert found["inputs"]["model_inputs"] == [{"model_id": taken}]
    assert found["outputs"]["model_outputs"] == outputs


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "x" * 501}, "'name' exceeds the maximum length of 500"),
        ({"digest": "x" * 37}, "'digest' exceeds the maximum length of 36"),
        ({"source": "x" * 65_536}, "'source' exceeds"),
        ({"schema": "x" * 1_048_576}, "'schema' exceeds"),
        ({"name": "\x00"}, "name"),
        ({"name": 5}, "name"),
    ],
)
def test_a_dataset_that_will_not_do_is_refused(
    wire: Wire, more: dict[str, object], words: str
) -> None:
    body = {"run_id": run(wire)["run_id"], "datasets": [{"dataset": {**DATASET, **more}}]}

    refused(wire("POST", f"{API}/runs/log-inputs", body), 400, INVALID, words)


@pytest.mark.parametrize(
    "tag", [{"key": "a"}, {"value": "b"}, {"key": "k" * 256, "value": "b"},
            {"key": "a", "value": "b" * 501}, {"key": "a", "value": "\x00"}, {"key": "", "value": "b"}]
)  # fmt: skip
def test_a_tag_of_an_input_that_will_not_do_is_refused(wire: Wire, tag: object) -> None:
    inputs = [{"dataset": DATASET, "tags": [tag]}]
    body = {"run_id": run(wire)["run_id"], "datasets": inputs}

    refused(wire("POST", f"{API}/runs/log-inputs", body), 400, INVALID)


@pytest.mark.parametrize("path", ["runs/log-inputs", "runs/outputs"])
def test_what_is_linked_has_to_be_here(wire: Wire, path: str) -> None:
    key, models = run(wire)["run_id"], [{"model_id": NOBODY, "step": 0}]
    target = f"{API}/{path}"

    refused(wire("POST", target, {"models": models}), 400, INVALID, "'run_id'")
    refused(wire("POST", target, {"run_id": key, "models": models}), 404, MISSING, "not found")
    models = [{"model_id": str(logged_model(wire)["model_id"]), "step": 0}]
    nobody = {"run_id": "0" * 32, "models": models}
    refused(wire("POST", target, nobody), 404, MISSING, f"Run with id={'0' * 32} not found")
    refused(wire("POST", target, {"run_id": "no/run", "models": models}), 400, INVALID, "run_id")
    done(wire("POST", f"{API}/runs/delete", {"run_id": key}))
    refused(wire("POST", target, {"run_id": key, "models": models}), 400, INVALID, "'active'")


def begun(wire: Wire, path: str = "dir", parts: int = 2) -> tuple[str, list[str]]:
    """Begin an upload; its id, and where its parts go."""
    body = {"path": "/home/ana/big.bin", "num_parts": parts}
    made = done(wire("POST", f"{PARTS}/create/{path}", body))
    return made["upload_id"], ["/api/" + one["url"].partition("/api/")[2] for one in
                               made["credentials"]]  # fmt: skip


def test_a_file_in_parts_is_one_file(wire: Wire) -> None:
    upload, urls = begun(wire)
    tags = [wire("PUT", url, bytes([65 + place]) * 3).headers for place, url in enumerate(urls)]
    parts = [
        {"part_number": place, "etag": {key.lower(): value for key, value in tag.items()}["etag"]}
        for place, tag in enumerate(tags, 1)
    ]
    body = {"path": "/home/ana/big.bin", "upload_id": upload, "parts": parts[::-1]}

    done(wire("POST", f"{PARTS}/complete/dir", body))

    assert wire("GET", f"{PROXY}/dir/big.bin").body == b"AAABBB"
    again = wire("POST", f"{PARTS}/complete/dir", body)
    refused(again, 404, MISSING, "Part 1 of this upload was not sent")


def test_an_upload_may_be_given_up(wire: Wire) -> None:
    upload, urls = begun(wire)
    wire("PUT", urls[0], b"AAA")

    done(wire("POST", f"{PARTS}/abort/dir", {"path": "big.bin", "upload_id": upload}))

    body = {"path": "big.bin", "upload_id": upload, "parts": [{"part_number": 1}]}
    refused(wire("POST", f"{PARTS}/complete/dir", body), 404, MISSING)
    refused(wire("GET", f"{PROXY}/dir/big.bin"), 404, MISSING)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([{"part_number": 2}], 400),
        ([{"part_number": 1}, {"part_number": 1}], 400),
        ([{"part_number": 1}, {"part_number": 2}, {"part_number": 3}], 404),
        ([{"part_number": 1, "etag": digest_of(b"other")}], 400),
        ([], 400),
        ("x", 400),
    ],
)
def test_parts_that_do_not_fit_make_no_file(wire: Wire, parts: object, status: int) -> None:
    upload, urls = begun(wire)
    for url in urls:
        assert wire("PUT", url, b"AAA").status == 200

    body = {"path": "big.bin", "upload_id": upload, "parts": parts}

    refused(
        wire("POST", f"{PARTS}/complete/dir", body), status, MISSING if status == 404 else INVALID
    )


@pytest.mark.parametrize(
    "fields", [{"num_parts": -1}, {"num_parts": 10_001}, {"num_parts": "x"}, {"path": ""}, {"path": 5},
               {"path": "a/.."}]
)  # fmt: skip
def test_an_upload_that_will_not_do_is_not_begun(wire: Wire, fields: dict[str, object]) -> None:
    refused(wire("POST", f"{PARTS}/create/dir", {"path": "a", **fields}), 400, INVALID)


@pytest.mark.parametrize("part", ["no/1", f"{'0' * 32}/0", f"{'0' * 32}/x", f"{'0' * 32}/99999"])
def test_a_part_has_an_upload_and_a_number(wire: Wire, part: str) -> None:
    refused(wire("PUT", f"{PARTS}/part/{part}", b"AAA"), 400, INVALID)


def test_who_only_reads_sends_no_parts(wire: Wire, wires: dict[str, Wire]) -> None:
    _, urls = begun(wire)

    refused(wires["vera"]("PUT", urls[0], b"AAA"), 403, "PERMISSION_DENIED")
