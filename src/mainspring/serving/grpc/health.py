"""The health service of gRPC: of the server, of each service and of each model."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import MainspringError, NotFound
from mainspring.serving.grpc.calls import Call, Calls, refuse
from mainspring.serving.grpc.messages import ends, parsed
from mainspring.serving.grpc.schema import FILES, HEALTH
from mainspring.serving.plane import Plane

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
SERVICES = {"", *(f"{file.package}.{file.service}" for file in FILES)}
HealthCheckRequest, HealthCheckResponse = ends(HEALTH, "Check")


class Health:
    """Says who can be called; a token is not asked for."""

    def __init__(self, plane: Plane, calls: Calls) -> None:
        self._plane = plane
        self._calls = calls

    async def check(self, _call: Call, body: bytes) -> bytes:
        """The status now."""
        name = parsed(HealthCheckRequest, body).service
        status = self._status(name)
        if status == SERVICE_UNKNOWN:
            raise NotFound(f"no service or model is named {name!r}")
        return _told(status)

    async def watch(self, _messages: object, context: Any) -> None:
        """The status now and whenever it changes; the last one is told when the process stops."""
        try:
            with self._calls.open_streams.one():
                body = await self._calls.first(context)
                await self._tell(parsed(HealthCheckRequest, body).service, context)
        except MainspringError as error:
            refuse(context, error)

    async def _tell(self, name: str, context: Any) -> None:
        told = None
        while True:
            changed, status = self._plane.changed, self._status(name)
            if status != told:
                await self._calls.tell(context, _told(status))
                told = status
            if self._plane.stopping.is_set():
                return
            await changed.wait()

    def _status(self, name: str) -> int:
        fleet = self._plane.fleet
        known = {source.name for source in fleet.snapshot.models}
        if name not in SERVICES and name not in known:
            return SERVICE_UNKNOWN
        if self._plane.stopping.is_set() or (name in known and name not in fleet.models):
            return NOT_SERVING
        return SERVING


def _told(status: int) -> bytes:
    told: bytes = HealthCheckResponse(status=status).SerializeToString()
    return told
