"""`mainspring serve` as people type it: a real process, real ports, models of every kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import joblib
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from mainspring.monitoring.prediction_log import read_predictions
from tests.serving import python_models
from tests.serving.data_plane import free_port

ECHO = f"{python_models.__name__}:Echo"


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    data, flag = load_breast_cancer(return_X_y=True)
    joblib.dump(LogisticRegression(solver="liblinear").fit(data, flag), tmp_path / "model.joblib")
    return tmp_path / "model.joblib"


def serve(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mainspring", "serve", *arguments, "--home", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[httpx2.Client]:
    """A caller of a data plane that runs, until the end of the block; it has to stop with 0."""
    process = serve(home, *arguments)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving "), process.communicate()[1]
        url = line.split(" on ")[1].split()[0]
        with httpx2.Client(base_url=url, timeout=30, verify=False) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def refused(home: Path, *arguments: str) -> tuple[int, str]:
    process = serve(home, *arguments)
    _, text = process.communicate(timeout=60)
    return process.returncode, text


def test_several_models_are_served_and_recorded(tmp_path: Path, pickled: Path) -> None:
    arguments = [f"echo={ECHO}", f"tumour@7={pickled}", "--port", str(free_port())]
    with served(tmp_path, *arguments, "--allow-code-models", "--workers", "2") as client:
        row = [1.0] * 30
        tensor = {"name": "input", "shape": [1, 30], "datatype": "FP64", "data": row}
        answer = client.post("/v2/models/tumour/infer", json={"inputs": [tensor], "id": "a"}).json()
        assert (answer["model_version"], answer["id"]) == ("7", "a")
        assert [output["name"] for output in answer["outputs"]] == ["predict", "predict_proba"]
        echoed = client.post("/v2/models/echo/infer", json={"inputs": [tensor], "id": "b"}).json()
        assert echoed["outputs"] == [{**tensor, "data": row}]
        log = Path(json.loads(_snapshot(tmp_path).read_text())["log"]["folder"])

    table = read_predictions(log, None, None, ["request_id", "model", "input.input"])
    assert sorted(table.to_pylist(), key=lambda found: str(found["request_id"])) == [
        {"request_id": "a", "model": "tumour", "input.input": row},
        {"request_id": "b", "model": "echo", "input.input": row},
    ]


def _snapshot(home: Path) -> Path:
    (found,) = (home / "serving").glob("*/snapshot.json")
    assert found.stat().st_mode & 0o077 == 0
    return found


def test_tokens_of_a_file_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("first\n\n second \n")
    arguments = [f"echo={ECHO}", "--port", str(free_port()), "--no-log"]
    with served(tmp_path, *arguments, "--token-file", str(tmp_path / "tokens")) as client:
        assert client.get("/v2/models/echo").status_code == 401
        for token, status in (("first", 200), ("second", 200), ("third", 401), ("x", 401)):
            headers = {"authorization": f"Bearer {token}"}
            assert client.get("/v2/models/echo", headers=headers).status_code == status
        assert client.get("/v2/health/ready").status_code == 200


def test_the_log_and_the_access_log_are_kept_as_told(tmp_path: Path) -> None:
    key, log, access = tmp_path / "key", tmp_path / "log", tmp_path / "access.jsonl"
    key.write_text("ab" * 32)
    model = f"moody={python_models.__name__}:Moody"
    kept = ["--log-folder", str(log), "--log-hash", "x", "--log-key-file", str(key)]
    arguments = [model, "--port", str(free_port()), *kept, "--entity-key", "x"]
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [41.5]}
    with served(tmp_path, *arguments, "--access-log", str(access)) as client:
        asked = {"inputs": [tensor], "id": "one"}
        assert client.post("/v2/models/moody/infer", json=asked).status_code == 200
        assert client.post("/v2/models/moody/infer", json={}).status_code == 400
        assert client.get("/nothing").status_code == 404

    (row,) = read_predictions(log, None, None).to_pylist()
    assert row["input.x"] == row["entity_key"] != "41.5"
    assert (len(row["input.x"]), row["output.y"], row["latency_us"] > 0) == (32, 83.0, True)
    lines: list[dict[str, Any]] = [json.loads(line) for line in access.read_text().splitlines()]
    assert [(line["path"], line["status"], line.get("error")) for line in lines] == [
        ("/v2/models/moody/infer", 200, None),
        ("/v2/models/moody/infer", 400, "invalid"),
        ("/nothing", 404, "not_found"),
    ]
    assert (lines[0]["id"], lines[0]["rows"], lines[0]["model"]) == ("one", 1, "moody")
    assert lines[0]["received"] > 0 < lines[0]["sent"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["echo"], 2, "'echo' names no model; NAME=SOURCE is wanted"),
        (["a/b=x"], 2, "names no model"),
        (["m=nowhere.onnx"], 4, "there is no file or folder 'nowhere.onnx'"),
        (["m=nowhere:Class"], 4, "nowhere"),
        ([f"m={ECHO}", f"m={ECHO}"], 2, "names m version 1 twice"),
        ([f"m={ECHO}", "--host", "0.0.0.0"], 2, "without tokens; only loopback may"),
        ([f"m={ECHO}", "--token-file", "/nowhere"], 4, "there is no token file"),
        ([f"m={ECHO}", "--token-file", os.devnull], 2, "has 0 tokens"),
        ([f"m={ECHO}", "--log-hash", "x"], 2, "no key is given"),
        ([f"m={ECHO}", "--log-redact", "x", "--entity-key", "x"], 2, "is the entity key"),
        (["m=model.joblib"], 2, "--allow-code-models"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path, pickled: Path, arguments: list[str], code: int, message: str
) -> None:
    arguments = [text.replace("model.joblib", str(pickled)) for text in arguments]

    found, text = refused(tmp_path, *arguments, "--port", str(free_port()))

    assert message in text
    assert (found, "Traceback" in text) == (code, False)


def test_a_taken_port_leaves_the_one_that_has_it_alone(tmp_path: Path) -> None:
    arguments = [f"echo={ECHO}", "--port", str(free_port())]
    with served(tmp_path, *arguments) as client:
        before = _snapshot(tmp_path).read_bytes()

        code, text = refused(tmp_path, *arguments)

        assert (code, "is taken by another process" in text) == (6, True)
        assert _snapshot(tmp_path).read_bytes() == before
        assert client.get("/v2/health/ready").status_code == 200
