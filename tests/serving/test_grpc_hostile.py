"""Bytes that no client of gRPC sends: the server answers or hangs up, says nothing, and goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, cast

import grpc
import pytest
from grpc import StatusCode as Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from .data_plane import PATIENCE, TOKEN, until
from .grpc_plane import OWN_CONNECTION, GrpcPlane, model, number, raw, request
from .grpc_plane import TOKEN as METADATA

# RFC 9113: the preface of a client, and the types and flags of the frames that are used here.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
INFER = "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
OPTIONS: dict[str, Any] = {"metadata": METADATA, "timeout": PATIENCE}
CHECK = "/grpc.health.v1.Health/Check"
NO_WINDOW = (4).to_bytes(2, "big") + bytes(4)
"""The setting that lets the server send no data at first."""
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


def _call(
    data: bytes | None,
    *headers: tuple[bytes, bytes],
    flags: int = END_HEADERS,
    settings: bytes = b"",
) -> bytes:
    """The bytes of a connection that calls ModelInfer once."""
    known = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": INFER.encode(),
        b":authority": b"x",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
        b"authorization": f"Bearer {TOKEN}".encode(),
    }
    block = b"".join(_literal(*header) for header in (known | dict(headers)).items())
    sent = PREFACE + _frame(SETTINGS, 0, settings, 0) + _frame(HEADERS, flags, block)
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


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[GrpcPlane]:
    """Takes three at once, and waits five seconds for a message."""
    limits = {"requests": 3, "body_seconds": 5.0}
    with GrpcPlane(tmp_path, [model("Moody")], limits=limits) as plane:
        yield plane
        plane.stop()
        assert plane.errors.read_text() == ""


@contextlib.contextmanager
def _stalled(
    plane: GrpcPlane, path: str, sent: bytes, refuses: Callable[[], Status], settings: bytes = b""
) -> Iterator[None]:
    """As many connections that have called, and say no more, as it takes to be refused."""
    call = _call(None, (b":path", path.encode()), settings=settings) + sent
    with contextlib.ExitStack() as stack:

        def is_full() -> bool:
            """Ten more: of those before, some were given up, or refused while another had their place."""
            for _ in range(10):
                caller = socket.create_connection(("127.0.0.1", plane.grpc_port))
                stack.enter_context(caller).sendall(call)
            return bool(refuses() == Status.UNAVAILABLE)

        until(is_full)
        yield


HALF = _frame(DATA, 0, _message(GOOD)[:9])


def test_messages_that_never_come_are_given_up(narrow: GrpcPlane) -> None:
    """They hold no place for longer than that, and those that are refused meanwhile hold none."""
    with _Caller(narrow) as caller, _stalled(narrow, INFER, HALF, caller.infer):
        until(lambda: caller.infer() == Status.OK)


def test_watchers_that_never_say_what_for_are_given_up(narrow: GrpcPlane) -> None:
    with _Caller(narrow) as caller, _stalled(narrow, WATCH, HALF, caller.watch):
        assert caller.infer() == Status.OK
        until(lambda: caller.watch() == Status.OK)


def test_streams_that_say_nothing_hold_the_places_of_their_kind_only(narrow: GrpcPlane) -> None:
    with _Caller(narrow) as caller:
        with _stalled(narrow, STREAM, b"", caller.stream):
            assert (caller.infer(), caller.watch()) == (Status.OK, Status.OK)
        until(lambda: caller.stream() == Status.OK)

        with _stalled(narrow, REFLECTION, b"", caller.watch):
            assert (caller.infer(), caller.stream()) == (Status.OK, Status.OK)
        until(lambda: caller.watch() == Status.OK)


@pytest.mark.parametrize("path", [INFER, STREAM])
def test_answers_that_are_not_taken_are_given_up(narrow: GrpcPlane, path: str) -> None:
    whole = _frame(DATA, END_STREAM if path == INFER else 0, _message(GOOD))
    with _Caller(narrow) as caller:
        call = caller.infer if path == INFER else caller.stream
        with _stalled(narrow, path, whole, call, settings=NO_WINDOW):
            until(lambda: call() == Status.OK)


@pytest.mark.parametrize("path", [INFER, CHECK])
def test_who_has_no_token_holds_no_place(narrow: GrpcPlane, path: str) -> None:
    """Neither with a message that does not come, nor with an answer that is not taken."""
    halves = {path: HALF, CHECK: _frame(DATA, END_STREAM, _message(b""))}
    call = _call(
        None, (b":path", path.encode()), (b"authorization", b"Bearer no"), settings=NO_WINDOW
    )
    with contextlib.ExitStack() as stack, _Caller(narrow) as caller:
        for _ in range(10):
            stranger = socket.create_connection(("127.0.0.1", narrow.grpc_port))
            stack.enter_context(stranger).sendall(call + halves[path])
            assert stranger.recv(1)
        assert caller.infer() == Status.OK
        assert narrow.client.get("/v2/health/live").status_code == 200


def test_connections_that_call_nothing_leave_files_to_the_others(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        try:
            plane = stack.enter_context(GrpcPlane(tmp_path, [model("Moody")]))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        with contextlib.suppress(OSError):
            is_taken = True
            while is_taken:
                caller = socket.create_connection(("127.0.0.1", plane.grpc_port))
                stack.enter_context(caller).sendall(PREFACE + _frame(SETTINGS, 0, b"", 0))
                caller.settimeout(1)
                is_taken = bool(caller.recv(1))

        x = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}
        assert plane.infer({"inputs": [x]}, "/v2/models/moody/infer").status_code == 200
        assert plane.control("rotate").status_code == 200


def test_a_stream_whose_answers_are_not_taken_is_not_read_on(tmp_path: Path) -> None:
    """Neither its messages nor its answers fill the memory; those of others are answered."""
    values = raw("FP64", [0.0]) * 2**20
    tensor = service_pb2.ModelInferRequest.InferInputTensor(
        name="x", datatype="FP64", shape=[2**20]
    )
    message = request("echo", tensor, raw_input_contents=[values])
    sent: list[int] = []

    def endless() -> Iterator[Any]:
        while True:
            sent.append(len(sent))
            yield message

    with GrpcPlane(tmp_path, [model("Echo")], log=None) as plane, plane.calling() as stub:
        stream = stub.ModelStreamInfer(endless(), metadata=METADATA)
        until(lambda: len(sent) > 4)
        for _ in range(40):
            assert plane.ask(message).raw_output_contents == [values]
        assert len(sent) < 20
        stream.cancel()


class _Caller:
    """A real client, on one connection; it tells how its calls end, or how their first answer comes."""

    def __init__(self, plane: GrpcPlane) -> None:
        self._channel = grpc.insecure_channel(plane.place, options=OWN_CONNECTION)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def infer(self) -> Status:
        return self._told(lambda: self._stub.ModelInfer(number("moody", 1.0), **OPTIONS))

    def stream(self) -> Status:
        messages = iter([number("moody", 1.0)])
        return self._told(lambda: next(self._stub.ModelStreamInfer(messages, **OPTIONS)))

    def watch(self) -> Status:
        watching = self._health.Watch(health_pb2.HealthCheckRequest(), **OPTIONS)
        try:
            return self._told(lambda: next(watching))
        finally:
            watching.cancel()

    @staticmethod
    def _told(call: Callable[[], object]) -> Status:
        try:
            call()
        except grpc.RpcError as error:
            return cast(Status, error.code())
        return Status.OK
