"""The methods of the inference service and of the model repository."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import msgspec

from mainspring import __version__
from mainspring.core.errors import Invalid
from mainspring.serving import repository
from mainspring.serving.compression import accepted
from mainspring.serving.fleet import Fleet, NotLoaded, ServedModel
from mainspring.serving.grpc import tensors
from mainspring.serving.grpc.calls import Call, Calls, View
from mainspring.serving.grpc.messages import ModelInferRequest, ends, parsed
from mainspring.serving.grpc.schema import INFERENCE
from mainspring.serving.http import WORTH_DEFLATING
from mainspring.serving.inference import About, InferRequest
from mainspring.serving.server import EXTENSIONS, SMALL_BODY, metadata
from mainspring.serving.statistics import counted

CODINGS = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
Fields = dict[str, Any]
Answer = Callable[[Call, Any], Fields]
"""The fields of the answer to a message that was read."""


class Methods:
    """What is asked in one message and answered in one."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._plane = calls.plane

    def views(self, service: str) -> dict[str, View]:
        """Those of the inference service that do not stream."""
        answers: dict[str, Answer] = {
            "ServerLive": lambda _call, _message: {"live": True},
            "ServerReady": lambda _call, _message: {"ready": not self._plane.stopping.is_set()},
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
        }
        views = {
            name: partial(_answered, answer, *ends(service, name))
            for name, answer in answers.items()
        }
        return {
            **views,
            "ModelInfer": self.infer,
            "ModelStatistics": self._statistics,
            **self.repository_views(service),
        }

    def repository_views(self, service: str) -> dict[str, View]:
        """Those of the model repository, which are in two services."""
        index = partial(_answered, self._index, *ends(service, "RepositoryIndex"))
        return {
            "RepositoryIndex": index,
            "RepositoryModelLoad": partial(self._change, service, "RepositoryModelLoad"),
            "RepositoryModelUnload": partial(self._change, service, "RepositoryModelUnload"),
        }

    async def infer(self, call: Call, body: bytes) -> bytes:
        """Read a request, compute, record, and answer."""
        fleet = self._calls.admitted(call)
        about = About(now_us=time.time_ns() // 1000, timeout_us=call.timeout_us())
        if len(body) <= SMALL_BODY:
            served, request = _read(fleet, call, body, about)
        else:
            served, request = await asyncio.to_thread(_read, fleet, call, body, about)
        call.request = request
        try:
            answer: bytes = await self._plane.predictor.infer(
                served, request, tensors.encode, call.began
            )
        except Exception:
            served.metrics.failed(time.perf_counter() - call.began)
            raise
        served.metrics.answered(time.perf_counter() - call.began)
        if len(answer) >= WORTH_DEFLATING:
            await _compress(call)
        return answer

    def _server_metadata(self, _call: Call, _message: Any) -> Fields:
        return {"name": "mainspring", "version": __version__, "extensions": EXTENSIONS}

    def _model_ready(self, call: Call, message: Any) -> Fields:
        try:
            self._found(call, message)
        except NotLoaded:
            return {"ready": False}
        return {"ready": True}

    def _model_metadata(self, call: Call, message: Any) -> Fields:
        served, fleet = self._found(call, message)
        return metadata(served, list(fleet.models[served.source.name]))

    async def _statistics(self, call: Call, body: bytes) -> bytes:
        """What all processes of the group have counted; without a name of every model."""
        asked, told = ends(INFERENCE, "ModelStatistics")
        message = parsed(asked, body)
        fleet = self._calls.admitted(call)
        if message.name:
            served, fleet = self._found(call, message)
            versions = fleet.models[served.source.name]
            chosen = [served] if message.version else list(versions.values())
        else:
            chosen = fleet.every()
        found = counted(fleet, await self._plane.group_counts(), chosen)
        answer: bytes = told(model_stats=found).SerializeToString()
        return answer

    def _index(self, call: Call, message: Any) -> Fields:
        fleet = self._calls.admitted(call)
        return {"models": repository.listed(fleet, only_ready=message.ready)}

    async def _change(self, service: str, method: str, call: Call, body: bytes) -> bytes:
        self._calls.admitted(call)
        asked, _ = ends(service, method)
        message = parsed(asked, body)
        if not message.model_name:
            raise Invalid("the request names no model", field="model_name")
        call.model = message.model_name
        parameters = dict.fromkeys(getattr(message, "parameters", ()))
        verb = "load" if method.endswith("Load") else "unload"
        change = msgspec.json.encode({"parameters": parameters})
        await self._plane.change(verb, message.model_name, change)
        return b""

    def _found(self, call: Call, message: Any) -> tuple[ServedModel, Fleet]:
        fleet = self._calls.admitted(call)
        served = fleet.find(message.name, message.version or None)
        call.model = served.source.name
        return served, fleet


async def _answered(answer: Answer, asked: Any, told: Any, call: Call, body: bytes) -> bytes:
    found: bytes = told(**answer(call, parsed(asked, body))).SerializeToString()
    return found


def _read(fleet: Fleet, call: Call, body: bytes, about: About) -> tuple[ServedModel, InferRequest]:
    message = parsed(ModelInferRequest, body)
    served = fleet.find(message.model_name, message.model_version or None)
    call.model = served.source.name
    return served, tensors.decode(served, message, about)


async def _compress(call: Call) -> None:
    """As the caller asks by the metadata `accept-encoding`.

    Clients of gRPC say of themselves that they can read compressed answers, whether wanted or not.
    """
    wanted = call.metadata("accept-encoding")
    coding = accepted(wanted.encode()) if wanted is not None else None
    if coding is not None:
        call.context.set_compression(CODINGS[coding])
        # grpc.aio applies it to what is sent after the head, and only if that was sent by itself.
        await call.context.send_initial_metadata(())
