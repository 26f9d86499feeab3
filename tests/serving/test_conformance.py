"""What callers of the Open Inference Protocol may count on, whatever they send."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from .data_plane import ECHO, INFER, PREDICT, Plane, echo, row, served


def _names(body: dict[str, Any]) -> list[str]:
    return [output["name"] for output in body["outputs"]]


def test_every_datatype_comes_back_as_it_went(plane: Plane) -> None:
    sent = echo(3, id="three")

    answer = plane.infer(sent, ECHO).json()

    told = {output["name"].removeprefix("same_"): output for output in answer["outputs"]}
    for tensor in sent["inputs"]:
        got = told[tensor["name"]]
        assert (got["datatype"], got["shape"], got["data"]) == (
            tensor["datatype"],
            [3],
            tensor["data"],
        )


def test_outputs_come_in_the_order_asked_for(plane: Plane) -> None:
    wanted = [{"name": "same_word", "parameters": {"any": 1}}, {"name": "same_flag"}]

    answer = plane.infer(echo(outputs=wanted), ECHO).json()

    assert _names(answer) == ["same_word", "same_flag"]


def test_parameters_that_nobody_knows_are_allowed_anywhere(plane: Plane) -> None:
    body = echo(parameters={"priority": 3, "deep": {"er": [None]}}, outputs=[{"name": "same_big"}])
    body["inputs"][0]["parameters"] = {"content_type": "np"}
    body["outputs"][0]["parameters"] = {"classification": 2}

    assert plane.infer(body, ECHO).status_code == 200


@pytest.mark.parametrize("id_", ["gr\u00fc\u00df", "\u4f60\u597d", "\U0001f600", 'a"b\\c', "\x7f"])
def test_any_id_is_echoed(plane: Plane, id_: str) -> None:
    assert plane.infer(row(id=id_)).json()["id"] == id_


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-8"])
def test_no_content_type_is_asked_for(plane: Plane, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}

    response = plane.client.post(INFER, content=json.dumps(row()).encode(), headers=headers)

    assert response.status_code == 200


def test_the_body_may_name_the_model_again(plane: Plane) -> None:
    assert plane.infer(row(model_name="tumour", model_version="1")).status_code == 200


@pytest.mark.parametrize("path", ["/v2/models/tumour/versions/2", "/v2/models/brittle/versions/1"])
def test_a_version_describes_itself_and_is_ready(plane: Plane, path: str) -> None:
    name = path.split("/")[3]

    assert plane.client.get(path).json()["name"] == name
    assert plane.client.get(f"{path}/ready").json() == {"name": name, "ready": True}


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"parameters":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b',"inputs":[]}',
        json.dumps(row()).encode()[:-2],
        b'{"inputs": [' + b" " * 2**20,
    ],
    ids=["deep lists", "deep parameters", "cut short", "cut short and long"],
)
def test_deep_and_broken_json_is_refused_and_survived(plane: Plane, body: bytes) -> None:
    response = plane.client.post(INFER, content=body)

    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert plane.infer(row()).status_code == 200


def test_a_caller_who_hangs_up_halfway_is_forgotten(tmp_path: Path, first_model: Path) -> None:
    head = f"POST {INFER} HTTP/1.1\r\ncontent-length: 100\r\n"
    head += f"authorization: {PREDICT['authorization']}\r\n\r\n{{"
    with Plane(tmp_path, [served(first_model)]) as plane:
        with socket.create_connection(("127.0.0.1", plane.port)) as caller:
            caller.sendall(head.encode())

        assert plane.infer(row()).status_code == 200
        plane.stop()
        assert plane.errors.read_text() == ""


def test_a_body_that_never_comes_is_given_up(tmp_path: Path, first_model: Path) -> None:
    head = f"POST {INFER} HTTP/1.1\r\ncontent-length: 100\r\n"
    head += f"authorization: {PREDICT['authorization']}\r\n\r\n{{"
    with (
        Plane(tmp_path, [served(first_model)], limits={"body_seconds": 0.2}) as plane,
        socket.create_connection(("127.0.0.1", plane.port), timeout=20) as caller,
    ):
        caller.sendall(head.encode())
        answer = b""
        while part := caller.recv(65536):
            answer += part

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 0.2 s" in answer
