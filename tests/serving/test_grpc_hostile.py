"""Bytes that no client of gRPC sends: the server answers or hangs up, says nothing, and goes on."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from .data_plane import PATIENCE, TOKEN, until
from .grpc_plane import TOKEN as METADATA
from .grpc_plane import GrpcPlane, model, number

# RFC 9113: the preface of a client, and the types and flags of the frames that are used here.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
GOOD = number("moody", 1.0).SerializeToString()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcPlane]:
    folder = tmp_path_factory.mktemp("plane")
    with GrpcPlane(folder, [model("Moody")], limits={"body_seconds": 0.5}) as plane:
        yield plane
        plane.stop()
        assert plane.errors.read_text() == ""


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def _literal(name: bytes, value: bytes) -> bytes:
    """A header without compression (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _message(body: bytes, flag: int = 0, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return bytes([flag]) + length.to_bytes(4, "big") + body


def _call(data: bytes | None, *headers: tuple[bytes, bytes], flags: int = END_HEADERS) -> bytes:
    """The bytes of a connection that calls ModelInfer once."""
    known = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/inference.GRPCInferenceService/ModelInfer",
        b":authority": b"x",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
        b"authorization": f"Bearer {TOKEN}".encode(),
    }
    block = b"".join(_literal(*header) for header in (known | dict(headers)).items())
    sent = PREFACE + _frame(SETTINGS, 0, b"", 0) + _frame(HEADERS, flags, block)
    return sent if data is None else sent + _frame(DATA, END_STREAM, data)


BYTES = {
    "HTTP/1.1": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "nothing": b"",
    "random": os.urandom(5_000),
    "random frames": PREFACE + os.urandom(5_000),
    "half the headers": _call(None, flags=0),
    "no message": _call(b""),
    "no data": _call(None, flags=END_HEADERS | END_STREAM),
    "half a message": _call(_message(GOOD)[:-3]),
    "a length that is a lie": _call(_message(GOOD, size=2**32 - 1)),
    "two messages": _call(_message(GOOD) * 2),
    "an unknown flag": _call(_message(GOOD, flag=7)),
    "no gzip": _call(_message(GOOD, flag=1), (b"grpc-encoding", b"gzip")),
    "an unknown coding": _call(_message(GOOD, flag=1), (b"grpc-encoding", b"zzz")),
    "a timeout that is none": _call(_message(GOOD), (b"grpc-timeout", b"abc")),
    "no time at all": _call(_message(GOOD), (b"grpc-timeout", b"0n")),
    "all the time": _call(_message(GOOD), (b"grpc-timeout", b"99999999H")),
    "a token that is no text": _call(_message(GOOD), (b"authorization", b"Bearer \xff\xfe")),
    "a name that is no text": _call(_message(GOOD), (b"x\xff", b"1")),
    "another content type": _call(_message(GOOD), (b"content-type", b"application/json")),
    "a reset": _call(_message(GOOD)) + _frame(RESET, 0, (8).to_bytes(4, "big")),
    "a path that is none": _call(_message(GOOD), (b":path", b"\x00")),
}


@pytest.mark.parametrize("sent", BYTES.values(), ids=BYTES.keys())
def test_any_bytes_are_survived(plane: GrpcPlane, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", plane.grpc_port)) as caller:
        caller.sendall(sent)
        with contextlib.suppress(ConnectionError):
            caller.shutdown(socket.SHUT_WR)
            while caller.recv(65536):
                pass

    assert plane.ask(number("moody", 1.0)).outputs[0].contents.fp64_contents == [2.0]
    until(lambda: "mainspring_requests_in_flight 1" in plane.client.get("/metrics").text)


def test_a_message_that_never_comes_is_given_up(tmp_path: Path) -> None:
    """And holds no place meanwhile that another one could have for longer than that."""
    limits = {"requests": 3, "body_seconds": 3.0}
    with GrpcPlane(tmp_path, [model("Moody")], limits=limits) as plane:
        with contextlib.ExitStack() as stack:
            # One connection for all: a busy machine may take longer to connect than those are waited for.
            stub = stack.enter_context(plane.calling())

            def begun() -> bool:
                """Three more are begun: a busy machine may have given up those before."""
                for _ in range(3):
                    caller = socket.create_connection(("127.0.0.1", plane.grpc_port))
                    stack.enter_context(caller).sendall(
                        _call(None) + _frame(DATA, 0, _message(GOOD)[:9])
                    )
                return _refused(stub)

            until(begun)
            until(lambda: not _refused(stub))
        plane.stop()

        assert plane.errors.read_text() == ""


def _refused(stub: Any) -> bool:
    try:
        stub.ModelInfer(number("moody", 1.0), metadata=METADATA, timeout=PATIENCE)
    except grpc.RpcError as error:
        return bool(error.code() == grpc.StatusCode.UNAVAILABLE)
    return False
