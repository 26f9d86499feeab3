"""Small predictions for a model that was asked for before: the same answers as on the ordinary way."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.monitoring.prediction_log import read_predictions

from .data_plane import ECHO, INFER, PREDICT, Plane, echo, row, served, until

Answer = tuple[int, dict[str, str], dict[str, Any]]


class Caller:
    """One connection, and what is sent over it byte by byte."""

    def __init__(self, plane: Plane) -> None:
        self.socket = socket.create_connection(("127.0.0.1", plane.port), timeout=20)
        self._file = self.socket.makefile("rb")

    def send(self, body: object, path: str = INFER, **headers: str) -> None:
        self.socket.sendall(request(body, path, **headers))

    def read(self) -> Answer:
        """The next answer; a status of 0 if the connection was closed instead."""
        line = self._file.readline()
        if not line:
            return 0, {}, {}
        headers = {}
        while (found := self._file.readline().decode().strip()) != "":
            name, _, value = found.partition(": ")
            headers[name] = value
        body = self._file.read(int(headers["content-length"]))
        return int(line.split()[1]), headers, json.loads(body)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def request(body: object, path: str = INFER, **headers: str) -> bytes:
    raw = json.dumps(body).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {PREDICT['authorization']}\r\n"
    return f"{head}content-length: {len(raw)}\r\n{more}\r\n".encode() + raw


@pytest.fixture
def caller(plane: Plane) -> Iterator[Caller]:
    """Of a plane that knows the paths."""
    assert plane.infer(row()).status_code == plane.infer(echo(), ECHO).status_code == 200
    found = Caller(plane)
    yield found
    found.close()


def test_it_answers_as_the_ordinary_way_does(plane: Plane, caller: Caller) -> None:
    # A query is another target, and goes the ordinary way.
    caller.send(row(2, id="same"), f"{INFER}?way=ordinary")
    _, ordinary_headers, ordinary = caller.read()
    caller.send(row(2, id="same"))
    status, headers, body = caller.read()

    assert (status, body) == (200, ordinary)
    assert headers.keys() == ordinary_headers.keys()


def test_requests_that_come_at_once_are_answered_in_their_order(caller: Caller) -> None:
    bodies = [row(id="a"), {"inputs": 5}, row(id="b"), row(3, id="c")]
    caller.socket.sendall(b"".join(request(body) for body in bodies))

    answers = [caller.read() for _ in bodies]

    assert [status for status, _, _ in answers] == [200, 400, 200, 200]
    assert [body.get("id") for _, _, body in answers] == ["a", None, "b", "c"]


def test_a_body_may_come_in_pieces(caller: Caller) -> None:
    raw = request(row(id="pieces"))
    for start in range(0, len(raw), 50):
        caller.socket.sendall(raw[start : start + 50])

    assert caller.read()[2]["id"] == "pieces"


def test_whoever_wants_the_connection_closed_gets_that(caller: Caller) -> None:
    caller.send(row(), connection="close")

    status, headers, _ = caller.read()

    assert (status, headers["connection"]) == (200, "close")
    assert caller.read()[0] == 0


def test_a_long_answer_is_compressed_if_asked(plane: Plane, caller: Caller) -> None:
    body = json.dumps(echo(40)).encode()
    assert len(body) < 40_000
    answers = [
        plane.client.post(ECHO, content=body, headers={"accept-encoding": coding})
        for coding in ("gzip", "identity")
    ]

    assert [answer.headers.get("content-encoding") for answer in answers] == ["gzip", None]
    assert answers[0].json()["outputs"] == answers[1].json()["outputs"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer other"}, 401),
        ({"content_encoding": "br"}, 400),
        ({"x_request_timeout_ms": "0"}, 504),
        ({"inference_header_content_length": "x"}, 400),
    ],
)
def test_it_refuses_as_the_ordinary_way_does(
    caller: Caller, headers: dict[str, str], status: int
) -> None:
    for path in (INFER, f"{INFER}?way=ordinary"):
        caller.send(row(), path, **headers)
        found, _, body = caller.read()
        assert (found, list(body)) == (status, ["error"])


def test_a_body_that_stops_is_given_up_and_leaves_nothing(
    tmp_path: Path, first_model: Path
) -> None:
    limits = {"body_seconds": 0.5, "body_bytes": 3_000}
    with Plane(tmp_path, [served(first_model)], limits=limits) as plane:
        assert plane.infer(row()).status_code == 200
        for _ in range(6):
            # More than fits, if those that went away were still counted.
            gone = Caller(plane)
            gone.socket.sendall(request(row())[:-20])
            gone.close()
        slow = Caller(plane)
        slow.socket.sendall(request(row())[:-20])
        status, _, body = slow.read()
        assert (status, "did not arrive within 0.5 s" in body["error"]) == (408, True)
        assert slow.read()[0] == 0
        slow.close()
        assert plane.infer(row()).status_code == 200


def test_an_idle_connection_is_closed_without_a_word(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        caller = Caller(plane)
        for _ in range(2):
            caller.send(row())
            assert caller.read()[0] == 200
        assert caller.read()[0] == 0
        caller.close()


def test_who_goes_away_is_recorded_all_the_same(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.infer(row(id="first")).status_code == 200
        gone = Caller(plane)
        gone.send(row(id="gone"))
        gone.close()

        until(lambda: read_predictions(plane.log_folder, None, None).num_rows == 2)
        page = plane.client.get("/metrics").text
        assert re.search(r"^mainspring_requests_in_flight [12]$", page, re.MULTILINE)
