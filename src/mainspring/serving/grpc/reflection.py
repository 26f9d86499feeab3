"""The reflection service of gRPC: what can be asked here, in definitions that any client reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from mainspring.core.errors import Invalid, MainspringError
from mainspring.serving.grpc.calls import Calls, refuse
from mainspring.serving.grpc.messages import POOL, ends, parsed
from mainspring.serving.grpc.schema import FILES

Fields = dict[str, Any]


class Reflection:
    """One version of the service; they differ in the names of their messages only."""

    def __init__(self, calls: Calls, service: str) -> None:
        self._calls = calls
        self._asked, self._answer = ends(service, "ServerReflectionInfo")

    async def handle(self, _messages: object, context: Any) -> None:
        """Answer each question of the stream."""
        try:
            with self._calls.open_streams.one():
                async for body in self._calls.messages(context):
                    question = parsed(self._asked, body)
                    answer = self._answer(
                        valid_host=question.host, original_request=question, **_answered(question)
                    )
                    await self._calls.tell(context, answer.SerializeToString())
        except MainspringError as error:
            refuse(context, error)


def _answered(question: Any) -> Fields:
    kind = question.WhichOneof("message_request")
    if kind == "list_services":
        names = sorted(f"{file.package}.{file.service}" for file in FILES)
        return {"list_services_response": {"service": [{"name": name} for name in names]}}
    if kind == "file_by_filename":
        return _file(POOL.FindFileByName, question.file_by_filename)
    if kind == "file_containing_symbol":
        return _file(POOL.FindFileContainingSymbol, question.file_containing_symbol)
    if kind is None:
        raise Invalid("the question of the reflection asks nothing")
    return _error(grpc.StatusCode.NOT_FOUND, "no message here has extensions")


def _file(find: Callable[[str], Any], name: str) -> Fields:
    try:
        found = find(name)
    except KeyError:
        return _error(grpc.StatusCode.NOT_FOUND, f"nothing is named {name!r}")
    return {"file_descriptor_response": {"file_descriptor_proto": [found.serialized_pb]}}


def _error(code: grpc.StatusCode, text: str) -> Fields:
    return {"error_response": {"error_code": code.value[0], "error_message": text}}
