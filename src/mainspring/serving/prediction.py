"""A checked request through the engine and the prediction log to its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sized

from mainspring.core.errors import Unavailable
from mainspring.engines.tensor import Tensors
from mainspring.serving.batching import Batch, Line, Member, Outcome
from mainspring.serving.dialect import Dialect
from mainspring.serving.fleet import ServedModel
from mainspring.serving.http import WORTH_DEFLATING, Reply, Request
from mainspring.serving.journal import Frame, pack
from mainspring.serving.metrics import Metrics
from mainspring.serving.protocol import InferRequest
from mainspring.serving.recorder import Recorder

SMALL_BODY = 64 * 1024
SMALL_BATCH = 64
"""Up to here a prediction costs less than handing it to a thread."""
INLINE_SECONDS = 0.002
"""An engine that takes longer is called in a thread, so that others are heard meanwhile."""

log = logging.getLogger(__name__)


class Predictor:
    """Answers predictions, each given out only once the log has its frame."""

    def __init__(self, recorder: Recorder, metrics: Metrics) -> None:
        self._recorder = recorder
        self._metrics = metrics
        self.tasks: Sized | None = None
        """The requests that are under way, where the server tells."""

    async def answer(self, served: ServedModel, request: Request, dialect: Dialect) -> Reply:
        """Read the request in its dialect, compute, record, and answer in the same."""
        body = await request.body()
        now_us = time.time_ns() // 1000
        if len(body) <= SMALL_BODY:
            call = dialect.decode(served, request, body, now_us)
        else:
            call = await asyncio.to_thread(dialect.decode, served, request, body, now_us)
        if call.rows <= SMALL_BATCH:
            reply = await self._together(served, call, dialect)
        else:
            batch = Batch(Member(call, dialect, time.perf_counter()))
            answers = await asyncio.to_thread(self._answers, served, batch)
            reply = batch.tell(self._done(served, batch, "large", answers))
        return reply if len(reply.body) < WORTH_DEFLATING else await request.deflated(reply)

    async def _together(self, served: ServedModel, call: InferRequest, dialect: Dialect) -> Reply:
        """Join the batch that fills, or begin one and run it.

        A batch waits for no clock: it has what was read in the same turn of the event loop, and
        what comes while the engine is busy in a thread.
        """
        line = served.line
        member = Member(call, dialect, time.perf_counter())
        batch = line.filling
        if batch is not None and batch.takes(call):
            member.answered = asyncio.get_running_loop().create_future()
            batch.add(member)
            return await member.answered
        batch = line.filling = Batch(member)
        try:
            if self.tasks is None or len(self.tasks) > 1:
                # Let the requests that were read with this one join. Without any, a turn of the
                # loop would be a tenth of what the whole request costs.
                await asyncio.sleep(0)
            if line.engine.locked() or line.filling is not batch or not _quick(line, batch):
                outcomes = await self._lead(line, served, batch)
            else:
                line.filling = None
                outcomes = self._done(served, batch, "turn", self._answers(served, batch))
        except BaseException as error:
            batch.fail(error)
            raise
        finally:
            if line.filling is batch:
                line.filling = None
        return batch.tell(outcomes)

    async def _lead(self, line: Line, served: ServedModel, batch: Batch) -> list[Outcome]:
        """Wait for the engine, and call it in a thread if that may take long."""
        reason = "engine" if line.engine.locked() else "turn"
        async with line.engine:
            if line.filling is batch:
                line.filling = None
            else:
                reason = "full"
            if _quick(line, batch):
                answers = self._answers(served, batch)
            else:
                answers = await asyncio.to_thread(self._answers, served, batch)
        return self._done(served, batch, reason, answers)

    def _done(
        self, served: ServedModel, batch: Batch, reason: str, answers: tuple[list[Outcome], float]
    ) -> list[Outcome]:
        outcomes, seconds = answers
        if batch.rows <= SMALL_BATCH:
            served.line.learn(seconds)
        self._metrics.batched(batch, seconds, reason)
        return outcomes

    def _answers(self, served: ServedModel, batch: Batch) -> tuple[list[Outcome], float]:
        """What each member is to be told, and the seconds in the engine."""
        try:
            replies, seconds = self._at_once(served, batch)
        except Unavailable:
            raise
        except Exception:
            if len(batch.members) == 1:
                raise
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
        return list(replies), seconds

    def _alone(self, served: ServedModel, member: Member) -> Outcome:
        try:
            replies, _ = self._at_once(served, Batch(member))
        except Exception as error:  # noqa: BLE001  # raised again where the member waits for it
            return error
        return replies[0]

    def _at_once(self, served: ServedModel, batch: Batch) -> tuple[list[Reply], float]:
        """The replies to all members, given out only once the log has the frames."""
        batch.began = time.perf_counter()
        outputs = compute(served, batch.inputs(), batch.rows)
        seconds = time.perf_counter() - batch.began
        replies: list[Reply] = []
        frames: list[Frame] = []
        for member, part in zip(batch.members, batch.parts(outputs), strict=True):
            replies.append(member.dialect.encode(served, member.call, part))
            frames.append(frame(served, member.call, part))
        self._recorder.append(*frames)
        return replies, seconds


def _quick(line: Line, batch: Batch) -> bool:
    """Whether calling the engine costs less than handing the batch to a thread."""
    return batch.rows <= SMALL_BATCH and line.seconds < INLINE_SECONDS


def compute(served: ServedModel, inputs: Tensors, rows: int) -> Tensors:
    """What the engine gives for checked inputs, with one value a row."""
    # The engine, not the model: the codec has checked these inputs already.
    outputs = served.model.engine.predict(inputs)
    for name in served.outputs:
        if len(outputs[name]) != rows:
            raise RuntimeError(
                f"the model gave {len(outputs[name])} values of {name!r} for {rows} rows"
            )
    return outputs


def frame(served: ServedModel, call: InferRequest, outputs: Tensors) -> Frame:
    """What the log keeps of a request."""
    source = served.source
    return Frame(
        request_ids=call.request_ids,
        event_times=call.event_times,
        recorded_at=time.time_ns() // 1000,
        model=source.name,
        version=source.version,
        rows=call.rows,
        inputs=pack(served.inputs, call.inputs),
        outputs=pack(served.outputs, outputs),
    )
