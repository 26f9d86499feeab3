"""A checked request through the engine and the prediction log to its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sized
from functools import partial
from typing import Any

from mainspring.core.errors import MainspringError, Throttled, Unavailable
from mainspring.engines.tensor import Tensors
from mainspring.serving.batching import SMALL_BATCH, Batch, Encode, Line, Member, Stopping
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
        self._leading: dict[asyncio.Task[None], Batch] = {}

    async def infer(
        self, served: ServedModel, call: InferRequest, encode: Encode, began: float
    ) -> Any:
        """As `submit`, for a caller who waits; once it has gone nothing is computed for it."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        tell = partial(_answer, answered)
        member = Member(call, encode, began, time.perf_counter(), tell, answered)
        # Without any other request, a turn of the loop would be a tenth of what this one costs.
        self._take(served, member, is_alone=self.tasks is not None and len(self.tasks) <= 1)
        try:
            return await answered
        except asyncio.CancelledError:
            member.leave()
            raise

    def submit(
        self,
        served: ServedModel,
        call: InferRequest,
        encode: Encode,
        began: float,
        tell: Callable[[Any], None],
    ) -> None:
        """Compute and record, and tell the answer as `encode` says, or the error instead of it.

        A batch waits for no clock: it has what was read in the same turn of the event loop, and
        what comes while the engine is busy in a thread.
        """
        member = Member(call, encode, began, time.perf_counter(), tell)
        self._take(served, member, is_alone=self.is_alone())

    def _take(self, served: ServedModel, member: Member, *, is_alone: bool) -> None:
        line, call = served.line, member.call
        self._check_room(line, served, call)
        line.waiting += 1
        if call.rows > SMALL_BATCH and served.is_parallel:
            self._start(line.large, served, Batch(member))
            return
        batch = line.filling
        if batch is not None and batch.takes(call):
            batch.add(member)
            if batch.is_led or call.deadline is not None:
                member.give_up_at_deadline(served.limits.predict_seconds)
            return
        batch = Batch(member)
        if not served.model.batching or is_alone:
            self._flush(served, batch)
            return
        line.filling = batch
        asyncio.get_running_loop().call_soon(self._turn, served, batch, call.turns - 1)

    def _turn(self, served: ServedModel, batch: Batch, left: int) -> None:
        """Run a batch once so many turns have passed that those read with it are in it."""
        if left and served.line.filling is batch:
            asyncio.get_running_loop().call_soon(self._turn, served, batch, left - 1)
        else:
            self._flush(served, batch)

    def give_up(self) -> None:
        """Tell all who still wait that this process is stopping."""
        for batch in list(self._leading.values()):
            batch.fail(Stopping())

    def _flush(self, served: ServedModel, batch: Batch) -> None:
        """Run a batch here if the engine is free and quick, and in a task of its own otherwise."""
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

    def _start(self, turn: Turn, served: ServedModel, batch: Batch) -> None:
        leading = asyncio.create_task(self._lead(turn, served, batch))
        self._leading[leading] = batch
        leading.add_done_callback(self._leading.pop)
        batch.is_led = True
        for each in batch.members:
            each.give_up_at_deadline(served.limits.predict_seconds)

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


def _answer(answered: asyncio.Future[Any], outcome: Any) -> None:
    """Give what a member is told to whoever waits for it."""
    if answered.done():
        return
    if isinstance(outcome, StopIteration):
        # A future does not take it.
        answered.set_exception(RuntimeError("the model raised StopIteration"))
    elif isinstance(outcome, Exception):
        answered.set_exception(outcome)
    else:
        answered.set_result(outcome)


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
