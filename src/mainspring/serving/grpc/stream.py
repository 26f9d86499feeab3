"""ModelStreamInfer: many requests over one call, answered in their order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from mainspring.core.errors import Invalid, MainspringError, Unavailable
from mainspring.serving.grpc.calls import Call, Calls, View, refuse
from mainspring.serving.grpc.messages import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
    parsed,
)
from mainspring.serving.http import said

MOST_AHEAD = 64
"""So many messages of one stream are worked on while its first answer is awaited."""


class Stream:
    """Answers the messages of one caller."""

    def __init__(self, calls: Calls, path: str, infer: View) -> None:
        self._calls = calls
        self._path = path
        self._infer = infer

    async def handle(self, _messages: object, context: Any) -> None:
        """Take messages until there are no more; one that is refused ends nothing."""
        try:
            self._calls.admitted(Call(self._path, context, 0))
            with self._calls.streams.one():
                await self._answer(context)
        except MainspringError as error:
            refuse(context, error)

    async def _answer(self, context: Any) -> None:
        answers: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(MOST_AHEAD)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(context, group, answers))
            while (answer := await answers.get()) is not None:
                await self._calls.tell(context, await answer)
        if self._calls.plane.stopping.is_set():
            raise Unavailable("this process is stopping", fix="call again")

    async def _read(
        self,
        context: Any,
        group: asyncio.TaskGroup,
        answers: asyncio.Queue[asyncio.Task[bytes] | None],
    ) -> None:
        async for body in self._calls.messages(context):
            call = Call(self._path, context, len(body))
            await answers.put(group.create_task(self._outcome(call, body)))
        await answers.put(None)

    async def _outcome(self, call: Call, body: bytes) -> bytes:
        answer = await self._calls.outcome(call, self._taken, body)
        return _answered(answer) if isinstance(answer, bytes) else _refused(answer, body)

    async def _taken(self, call: Call, body: bytes) -> bytes:
        task = asyncio.current_task()
        assert task is not None
        self._calls.take(task)
        return await self._infer(call, body)


def _answered(answer: bytes) -> bytes:
    response = ModelStreamInferResponse(infer_response=parsed(ModelInferResponse, answer))
    told: bytes = response.SerializeToString()
    return told


def _refused(error: MainspringError, body: bytes) -> bytes:
    """What is wrong, and with which request: its caller may have sent many."""
    response = ModelStreamInferResponse(error_message=said(error))
    with contextlib.suppress(Invalid):
        if id_ := parsed(ModelInferRequest, body).id:
            response.infer_response.id = id_
    told: bytes = response.SerializeToString()
    return told
