"""The gRPC server of one process: on the loop of its HTTP server, on a port that they all share."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import grpc.aio

from mainspring.core.errors import Conflict, MainspringError
from mainspring.serving.access_log import AccessLog
from mainspring.serving.connection import most_connections
from mainspring.serving.grpc.calls import Calls, Handler, View
from mainspring.serving.grpc.health import Health
from mainspring.serving.grpc.methods import Methods
from mainspring.serving.grpc.reflection import Reflection
from mainspring.serving.grpc.schema import HEALTH, INFERENCE, REFLECTIONS, REPOSITORY
from mainspring.serving.grpc.stream import Stream
from mainspring.serving.http import MAX_BODY, BodyWatch
from mainspring.serving.plane import Plane

UNLIMITED = -1
OPEN = {
    f"/{HEALTH}/Check",
    *(f"/{INFERENCE}/{name}" for name in ("ServerLive", "ServerReady", "ServerMetadata")),
}
"""The methods of one message that no token is asked for."""
IDLE_SECONDS = 60
"""A connection without a call is closed after so long; clients open another one by themselves."""
HELLO_SECONDS = 30
"""So long a connection may take to say that it speaks HTTP/2."""
LEAVE_SECONDS = 0.1
"""So long callers are told that this process is stopping: what gRPC has not handed over when it
closes, it cancels without a word."""


NOT_OURS = ("Invalid encoding on ", "ExecuteBatchError raised in core ")
"""How grpcio reports metadata that are no text, and answers whose callers left without them."""


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a fault that grpcio reports is one of this process, and not of a caller."""
    return not record.getMessage().startswith(NOT_OURS)


class GrpcServer:
    """Answers over gRPC."""

    def __init__(self, plane: Plane, watch: BodyWatch, access_log: AccessLog | None) -> None:
        self._plane = plane
        self._calls = Calls(plane, watch, access_log)
        self.under_way = self._calls.under_way
        self._server: Any = None
        logging.getLogger("grpc._cython.cygrpc").addFilter(_is_ours)

    async def start(self, host: str, port: int) -> None:
        """Listen; several processes may on the same port."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        snapshot = self._plane.fleet.snapshot
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", MAX_BODY),
                ("grpc.max_send_message_length", UNLIMITED),
                ("grpc.max_allowed_incoming_connections", most_connections(snapshot.ports)),
                ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
                ("grpc.server_handshake_timeout_ms", HELLO_SECONDS * 1000),
            ],
            # Requests, streams with and without a token, and those that are being refused.
            maximum_concurrent_rpcs=4 * snapshot.limits.requests,
        )
        self._server.add_generic_rpc_handlers([_Handlers(self._handlers(), self._calls)])
        try:
            self._server.add_insecure_port(place)
        except RuntimeError:
            raise Conflict(f"{place} is taken by another process", field="grpc_port") from None
        await self._server.start()

    async def stop(self, seconds: float) -> None:
        """Take no more, and let what is under way finish."""
        await asyncio.sleep(LEAVE_SECONDS)
        await self._server.stop(seconds - LEAVE_SECONDS)

    def _handlers(self) -> dict[str, Any]:
        """By the path of each method."""
        calls, methods, health = self._calls, Methods(self._calls), Health(self._plane, self._calls)
        views: dict[str, dict[str, View]] = {
            INFERENCE: methods.views(INFERENCE),
            REPOSITORY: methods.repository_views(REPOSITORY),
            HEALTH: {"Check": health.check},
        }
        handlers: dict[str, Any] = {}
        for service, named in views.items():
            for name, view in named.items():
                path = f"/{service}/{name}"
                handle = calls.answering(path, view)
                handlers[path] = grpc.unary_unary_rpc_method_handler(handle)
        path = f"/{INFERENCE}/ModelStreamInfer"
        streams: dict[str, Handler] = {
            f"/{HEALTH}/Watch": health.watch,
            path: Stream(calls, path, methods.infer).handle,
        }
        for service in REFLECTIONS:
            streams[f"/{service}/ServerReflectionInfo"] = Reflection(calls, service).handle
        for path, stream in streams.items():
            handlers[path] = grpc.stream_stream_rpc_method_handler(calls.streaming(stream))
        return handlers


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Messages are read and written by the handlers: one that cannot be read is no fault of ours."""

    def __init__(self, handlers: dict[str, Any], calls: Calls) -> None:
        self._handlers = handlers
        self._calls = calls

    def service(self, details: Any) -> Any:
        """The handler of a call; without one it is told that it is unimplemented."""
        handler = self._handlers.get(details.method)
        if handler is None or handler.unary_unary is None:
            return handler
        try:
            is_open = details.method in OPEN
            self._calls.take_next(details.invocation_metadata, is_open=is_open)
        except MainspringError as error:
            refusing = self._calls.refusing(details.method, error)
            return grpc.stream_unary_rpc_method_handler(refusing)
        return handler
