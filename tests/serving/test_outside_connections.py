"""What strangers do with a connection: heads without end, nothing at all, half a request, garbage."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .data_plane import INFER, PATIENCE, PREDICT, Plane, row, served
from .test_group import moody, state

TOKEN = f"authorization: {PREDICT['authorization']}\r\n".encode()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, first_model: Path) -> Iterator[Plane]:
    """It gives callers half a second, and everything else as usual."""
    models = [served(first_model), moody("Echo")]
    with Plane(tmp_path_factory.mktemp("hasty"), models, limits={"body_seconds": 0.5}) as plane:
        yield plane


def _post(path: str, body: object, *lines: str) -> bytes:
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\ncontent-length: {len(raw)}\r\n"
    return (
        head.encode() + TOKEN + b"".join(f"{line}\r\n".encode() for line in lines) + b"\r\n" + raw
    )


def _said(plane: Plane, *parts: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", plane.port), timeout=PATIENCE) as caller:
        try:
            for part in parts:
                caller.sendall(part)
            while part := caller.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def _refused(answer: bytes) -> str:
    """The status of the answer, whose body is an error and nothing else."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert list(json.loads(body)) == ["error"]
    return head.split(b" ", 2)[1].decode()


@pytest.mark.parametrize(
    "raw",
    [
        b"FOO /v2 HTTP/1.1\r\n\r\n",
        b"GET /v2 HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v2 HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST /v2 HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_protocols_form(hasty: Plane, raw: bytes) -> None:
    assert _refused(_said(hasty, raw)) == "400"


def test_a_broken_chunk_is_refused(hasty: Plane) -> None:
    head = f"POST {INFER} HTTP/1.1\r\ntransfer-encoding: chunked\r\n".encode() + TOKEN

    assert _refused(_said(hasty, head + b"\r\nzz\r\n")) == "400"


@pytest.mark.parametrize(
    "start",
    [
        b"GET /v2 HTTP/1.1\r\nx: ",
        b"GET /",
        b"POST /predict/tumour HTTP/1.1\r\ntransfer-encoding: chunked\r\n" + TOKEN + b"\r\n2;",
    ],
    ids=["header", "path", "chunk extension"],
)
def test_a_head_without_end_is_not_read_on(hasty: Plane, start: bytes) -> None:
    answer = _said(hasty, start, *[b"a" * 65_536] * 100)

    assert answer == b"" or _refused(answer) in ("400", "431")
    assert hasty.infer(row()).status_code == 200


def test_many_headers_are_refused(hasty: Plane) -> None:
    assert _refused(_said(hasty, b"GET /v2 HTTP/1.1\r\n" + b"a: b\r\n" * 12_000)) == "431"


@pytest.mark.parametrize(
    "start",
    [b"", b"POST /v2/mod", b"GET /v2 HTTP/1.1\r\nhost: x\r\n"],
    ids=["nothing", "half a line", "half a head"],
)
def test_a_request_that_does_not_come_is_given_up(hasty: Plane, start: bytes) -> None:
    assert _refused(_said(hasty, start)) == "408"


def test_the_rest_of_a_refused_body_is_not_awaited_for_ever(hasty: Plane) -> None:
    head = b"POST /v2/nowhere HTTP/1.1\r\ncontent-length: 1000\r\n\r\n{"

    answer = _said(hasty, head)

    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.count(b"HTTP/1.1 ") <= 2


def test_a_caller_who_takes_no_answer_is_hung_up_on(hasty: Plane) -> None:
    values = 1_500_000
    tensor = {"name": "x", "shape": [values], "datatype": "BOOL", "data": [True] * values}
    request = _post("/v2/models/echo/infer", {"inputs": [tensor]})
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.settimeout(PATIENCE)
        caller.connect(("127.0.0.1", hasty.port))
        caller.sendall(request)
        # The connection ends on the other side while nothing is read here.
        while _is_open(hasty, caller):
            pass

    assert hasty.infer(row()).status_code == 200


def _is_open(plane: Plane, caller: socket.socket) -> bool:
    """Whether a process of the plane holds the other end."""
    port = f":{caller.getsockname()[1]:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    ends = [line.split() for line in lines if f":{plane.port:04X} " in line and port in line]
    return any(end[2].endswith(port) and end[3] == "01" for end in ends)


def test_what_was_asked_before_garbage_is_answered(hasty: Plane) -> None:
    answer = _said(hasty, _post(INFER, row()) * 20 + b"garbage\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200") == 20


def test_a_flood_of_requests_is_read_as_it_is_answered(hasty: Plane) -> None:
    """The process that reads it goes on giving signs of life, and keeps few of the requests in memory."""
    before = hasty.workers(), _memory(hasty)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port)))
            caller.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    caller.send(b"GET /ping HTTP/1.1\r\n\r\n" * 8_000)
        assert hasty.infer(row()).status_code == 200
        assert _memory(hasty) < before[1] + 64 * 2**20
    assert hasty.workers() == before[0]


def _memory(plane: Plane) -> int:
    """The bytes that its only process has in memory."""
    pages = Path(f"/proc/{plane.workers()[0]}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_passed_over(hasty: Plane, protocol: str) -> None:
    lines = (f"Upgrade: {protocol}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA")

    assert _said(hasty, _post(INFER, row(), *lines)).startswith(b"HTTP/1.1 200")


def test_a_body_may_be_waited_for(hasty: Plane) -> None:
    request = _post(INFER, row(), "Expect: 100-continue")

    answer = _said(hasty, request)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


def test_a_body_that_is_too_large_is_refused_so_that_its_sender_hears_it(plane: Plane) -> None:
    response = plane.client.post(INFER, content=b" " * (33 * 2**20))

    assert response.status_code == 413
    assert "larger than 33554432 bytes" in response.json()["error"]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/tumour/ready"])
def test_probes_may_ask_for_the_head_alone(plane: Plane, path: str) -> None:
    response = plane.client.head(path)

    assert response.status_code == 200
    assert response.content == b""


def test_strangers_leave_no_trace(hasty: Plane) -> None:
    assert hasty.infer(row()).status_code == 200
    assert state(hasty).restarts == []
    assert hasty.errors.read_text() == ""


def test_requests_that_cross_the_stop_are_answered(tmp_path: Path, first_model: Path) -> None:
    """A caller sends on and on over one connection: none of what it sends is met by silence."""
    with (
        Plane(tmp_path, [served(first_model)]) as plane,
        socket.create_connection(("127.0.0.1", plane.port), timeout=PATIENCE) as caller,
    ):
        answers = [_next(caller)]
        assert plane.process is not None
        plane.process.terminate()
        while b"connection: close" not in answers[-1]:
            answers.append(_next(caller))

        assert {answer.split(b" ", 2)[1] for answer in answers} == {b"200"}
        assert plane.process.wait(PATIENCE) == 0


def _next(caller: socket.socket) -> bytes:
    """Ask once more, and read the answer."""
    caller.sendall(_post(INFER, row()))
    answer = b""
    while not answer.endswith(b"]}"):
        part = caller.recv(65536)
        assert part, "the connection was closed without an answer"
        answer += part
    return answer
