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
from mainspring.serving.http import MAX_BODY, BodyWatch, Overloaded, said

MOST_AHEAD = 64
"""So many messages of one stream are worked on while its first answer is awaited."""


Told = tuple[bytes, int]
"""What a caller is told, and as how many bytes of an answer that counts."""


class Ahead:
    """What one stream has been asked and has not answered, or its caller not taken."""

    def __init__(self, watch: BodyWatch) -> None:
        self._watch = watch
        self._asked = self._held = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.answers: asyncio.Queue[tuple[int, asyncio.Task[Told]] | None] = asyncio.Queue(
            MOST_AHEAD
        )
        """By the bytes of what was asked."""

    async def ask(self, size: int, task: asyncio.Task[Told]) -> None:
        """Note what is worked on, and wait until more may be read."""
        self._asked += size
        if self._asked > MAX_BODY:
            self._has_room.clear()
        await self.answers.put((size, task))
        await self._has_room.wait()

    def hold(self, size: int) -> None:
        """Count an answer among what is in memory until it is taken; `Overloaded` if there is no room."""
        self._watch.hold(size)
        self._held += size

    def taken(self, size: int, held: int) -> None:
        """The caller has the answer, of so many bytes, to what had so many."""
        self._asked -= size
        if self._asked <= MAX_BODY:
            self._has_room.set()
        self._watch.release(held)
        self._held -= held

    def end(self) -> None:
        """Nobody takes the others any more."""
        self._watch.release(self._held)


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
        ahead = Ahead(self._calls.watch)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(context, group, ahead))
                while (next_one := await ahead.answers.get()) is not None:
                    size, task = next_one
                    answer, held = await task
                    await self._calls.tell(context, answer)
                    ahead.taken(size, held)
        finally:
            ahead.end()
        if self._calls.plane.stopping.is_set():
            raise Unavailable("this process is stopping", fix="call again")

    async def _read(self, context: Any, group: asyncio.TaskGroup, ahead: Ahead) -> None:
        async for body in self._calls.messages(context):
            task = group.create_task(self._outcome(context, body, ahead))
            await ahead.ask(len(body), task)
        await ahead.answers.put(None)

    async def _outcome(self, context: Any, body: bytes, ahead: Ahead) -> Told:
        call = Call(self._path, context, len(body))
        answer = await self._calls.outcome(call, self._taken, body)
        try:
            if isinstance(answer, bytes):
                ahead.hold(len(answer))
                return _answered(answer), len(answer)
        except Overloaded as error:
            answer = error
        return _refused(answer, body), 0

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
