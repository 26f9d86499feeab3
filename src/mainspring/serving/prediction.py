"""A checked request through the engine and the prediction log to its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sized
from typing import Any

from mainspring.core.errors import MainspringError, Throttled, Unavailable
from mainspring.engines.tensor import Tensors
from mainspring.serving.batching import SMALL_BATCH, Batch, Encode, Line, Member
from mainspring.serving.fleet import ServedModel
from mainspring.serving.inference import DeadlineExceeded, InferRequest
from mainspring.serving.recorder import Recorder

INLINE_SECONDS = 0.002
"""An engine that takes longer is called in a thread, so that others are heard meanwhile."""

Turn = asyncio.Lock | asyncio.Semaphore

log = logging.getLogger(__name__)


class QueueFull(Throttled):
    """When so many requests wait for a model that one more would only wait too long."""

    name = "queue_full"
    retry_after_s = 1


class Predictor:
    """Answers predictions, each given out only once the log has its frame."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self.tasks: Sized | None = None
        """The requests that are under way, where the server tells."""
        self.is_alone: Callable[[], bool] = lambda: False
        """Whether there is one connection only, so that nobody else can join a batch."""
        self._leading: set[asyncio.Task[None]] = set()

    async def infer(
        self, served: ServedModel, call: InferRequest, encode: Encode, began: float
    ) -> Any:
        """Compute, record, and answer as `encode` says.

        A batch waits for no clock: it has what was read in the same turn of the event loop, and
        what comes while the engine is busy in a thread.
        """
        line = served.line
        member = Member(call, encode, began, time.perf_counter())
        self._check_room(line, served, call)
        if call.rows > SMALL_BATCH and served.is_parallel:
            return await self._queued(line.large, served, Batch(member), member)
        batch = line.filling
        if batch is not None and batch.takes(call):
            return await self._join(line, served, batch, member)
        batch = Batch(member)
        if served.model.batching:
            line.filling = batch
            if self.tasks is None or len(self.tasks) > 1:
                # Let the requests that were read with this one join. Without any, a turn of the
                # loop would be a tenth of what the whole request costs.
                await self._next_turn(line, served, batch)
        if line.engine.locked() or line.filling not in (batch, None) or not _quick(served, batch):
            return await self._queued(line.engine, served, batch, member)
        line.filling = None
        return self._at_once_here(served, batch)

    def submit(
        self,
        served: ServedModel,
        call: InferRequest,
        encode: Encode,
        began: float,
        tell: Callable[[Any], None],
    ) -> None:
        """As `infer`, for a caller who is told: the answer, or the error instead of it."""
        line = served.line
        member = Member(call, encode, began, time.perf_counter(), tell=tell)
        self._check_room(line, served, call)
        if call.rows > SMALL_BATCH and served.is_parallel:
            line.waiting += 1
            self._start(line.large, served, Batch(member))
            return
        batch = line.filling
        if batch is not None and batch.takes(call):
            self._add(line, served, batch, member)
            return
        batch = Batch(member)
        line.waiting += 1
        if not served.model.batching or self.is_alone():
            self._flush(served, batch)
            return
        line.filling = batch
        asyncio.get_running_loop().call_soon(self._flush, served, batch)

    def _flush(self, served: ServedModel, batch: Batch) -> None:
        """Run a batch of those who are told; those that were read in the same turn are in it."""
        line = served.line
        if line.engine.locked() or not _quick(served, batch):
            self._start(line.engine, served, batch)
            return
        if line.filling is batch:
            line.filling = None
        line.waiting -= len(batch.members)
        batch.drop_late()
        if not batch.members:
            return
        try:
            outcomes = self._done(served, batch, "turn", self._answers(served, batch))
        except Exception as error:  # noqa: BLE001  told to those who asked
            batch.fail(error)
        else:
            batch.tell(outcomes)

    @staticmethod
    def _check_room(line: Line, served: ServedModel, call: InferRequest) -> None:
        if call.deadline is not None and call.is_late():
            raise DeadlineExceeded("the deadline passed before the request was read")
        if line.waiting >= served.limits.queue:
            raise QueueFull(
                f"{line.waiting} requests wait for {served.source.name!r}, as many as may",
                fix="ask again after a while, or serve it by more workers",
            )

    @staticmethod
    def _add(line: Line, served: ServedModel, batch: Batch, member: Member) -> None:
        batch.add(member)
        line.waiting += 1
        if batch.is_led or member.call.deadline is not None:
            member.give_up_at_deadline(served.limits.predict_seconds)

    async def _join(self, line: Line, served: ServedModel, batch: Batch, member: Member) -> Any:
        member.answered = asyncio.get_running_loop().create_future()
        self._add(line, served, batch, member)
        return await member.answered

    def _at_once_here(self, served: ServedModel, batch: Batch) -> Any:
        """Run a batch on the event loop; the others are told, the first one is answered."""
        served.line.waiting -= len(batch.members) - 1
        try:
            outcomes = self._done(served, batch, "turn", self._answers(served, batch))
        except BaseException as error:
            batch.fail(error)
            raise
        batch.tell(outcomes)
        first = outcomes[0]
        if isinstance(first, Exception):
            raise first
        return first

    async def _queued(self, turn: Turn, served: ServedModel, batch: Batch, member: Member) -> Any:
        """Have a task of its own run the batch: no caller waits longer than its own deadline."""
        member.answered = asyncio.get_running_loop().create_future()
        served.line.waiting += 1
        self._start(turn, served, batch)
        return await member.answered

    def _start(self, turn: Turn, served: ServedModel, batch: Batch) -> None:
        leading = asyncio.create_task(self._lead(turn, served, batch))
        self._leading.add(leading)
        leading.add_done_callback(self._leading.discard)
        batch.is_led = True
        for each in batch.members:
            each.give_up_at_deadline(served.limits.predict_seconds)

    async def _next_turn(self, line: Line, served: ServedModel, batch: Batch) -> None:
        """Let others join; if the first one's caller goes away meanwhile, they go on without it."""
        try:
            for _ in range(batch.members[0].call.turns):
                await asyncio.sleep(0)
                if line.filling is not batch:
                    return
        except asyncio.CancelledError:
            batch.leave_first()
            if batch.members:
                self._start(line.engine, served, batch)
            elif line.filling is batch:
                line.filling = None
            raise

    async def _lead(self, turn: Turn, served: ServedModel, batch: Batch) -> None:
        """Wait for the engine, and call it in a thread if that may take long."""
        line = served.line
        reason = "large" if turn is line.large else "engine" if turn.locked() else "turn"
        try:
            async with turn:
                if line.filling is batch:
                    line.filling = None
                elif served.model.batching and turn is line.engine:
                    reason = "full"
                line.waiting -= len(batch.members)
                batch.drop_late()
                if not batch.members:
                    return
                outcomes = await self._called(line, served, batch, reason)
        except BaseException as error:
            batch.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            batch.tell(outcomes)

    async def _called(
        self, line: Line, served: ServedModel, batch: Batch, reason: str
    ) -> list[Any]:
        if _quick(served, batch):
            return self._done(served, batch, reason, self._answers(served, batch))
        line.called_at[batch] = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(line.threads, self._answers, served, batch)
        finally:
            del line.called_at[batch]
        return self._done(served, batch, reason, answers)

    def _done(
        self, served: ServedModel, batch: Batch, reason: str, answers: tuple[list[Any], float]
    ) -> list[Any]:
        outcomes, seconds = answers
        served.line.learn(seconds, batch.rows)
        served.metrics.batched(batch, seconds, reason)
        return outcomes

    def _answers(self, served: ServedModel, batch: Batch) -> tuple[list[Any], float]:
        """What each member is to be told, and the seconds in the engine."""
        try:
            return self._at_once(served, batch)
        except Unavailable:
            raise
        except Exception as error:
            if len(batch.members) == 1:
                raise
            if not isinstance(error, MainspringError):
                log.warning(
                    "%s %s failed on %d requests at once; each is tried alone",
                    served.source.name,
                    served.source.version,
                    len(batch.members),
                    exc_info=True,
                )
            started = time.perf_counter()
            alone = [self._alone(served, member) for member in batch.members]
            return alone, time.perf_counter() - started

    def _alone(self, served: ServedModel, member: Member) -> Any:
        try:
            replies, _ = self._at_once(served, Batch(member))
        except Exception as error:  # noqa: BLE001  # raised again where the member waits for it
            return error
        return replies[0]

    def _at_once(self, served: ServedModel, batch: Batch) -> tuple[list[Any], float]:
        """The answers to all members, given out only once the log has the frame."""
        batch.began = time.perf_counter()
        inputs = batch.inputs()
        outputs = compute(served, inputs, batch.rows)
        seconds = time.perf_counter() - batch.began
        members = batch.members
        answers = [
            member.encode(served, member.call, part)
            for member, part in zip(members, batch.parts(outputs), strict=True)
        ]
        if self._recorder is not None:
            frame = served.framing.frame(members, inputs, outputs, by_row=served.is_by_row)
            if frame is not None:
                self._recorder.append(frame)
        return answers, seconds


def _quick(served: ServedModel, batch: Batch) -> bool:
    """Whether calling the engine costs less than handing the batch to a thread."""
    return served.may_inline and served.line.expected(batch.rows) < INLINE_SECONDS


def compute(served: ServedModel, inputs: Tensors, rows: int) -> Tensors:
    """What the engine gives for checked inputs, with one value a row where rows are told apart."""
    # The engine, not the model: the codec has checked these inputs already.
    outputs = served.model.engine.predict(inputs)
    if served.is_by_row:
        for name in served.outputs or outputs:
            if len(outputs[name]) != rows:
                raise RuntimeError(
                    f"the model gave {len(outputs[name])} values of {name!r} for {rows} rows"
                )
    return outputs
