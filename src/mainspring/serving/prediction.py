"""A checked request through the engine and the prediction log to its answer."""

from __future__ import annotations

import asyncio
import time

from mainspring.engines.tensor import Tensors
from mainspring.serving.dialect import Dialect
from mainspring.serving.fleet import ServedModel
from mainspring.serving.http import Reply, Request
from mainspring.serving.journal import Frame, pack
from mainspring.serving.metrics import Metrics
from mainspring.serving.protocol import InferRequest
from mainspring.serving.recorder import Recorder

SMALL_BODY = 64 * 1024
SMALL_BATCH = 64
"""Up to here a prediction costs less than handing it to a thread."""


class Predictor:
    """Answers predictions, each given out only once the log has its frame."""

    def __init__(self, recorder: Recorder, metrics: Metrics) -> None:
        self._recorder = recorder
        self._metrics = metrics

    async def answer(self, served: ServedModel, request: Request, dialect: Dialect) -> Reply:
        """Read the request in its dialect, compute, record, and answer in the same."""
        body = await request.body()
        now_us = time.time_ns() // 1000
        if len(body) <= SMALL_BODY:
            call = dialect.decode(served, request, body, now_us)
        else:
            call = await asyncio.to_thread(dialect.decode, served, request, body, now_us)
        if call.rows <= SMALL_BATCH:
            reply, seconds = self._predict(served, call, dialect)
        else:
            reply, seconds = await asyncio.to_thread(self._predict, served, call, dialect)
        self._metrics.predicted(call.rows, seconds)
        return await request.deflated(reply)

    def _predict(
        self, served: ServedModel, call: InferRequest, dialect: Dialect
    ) -> tuple[Reply, float]:
        started = time.perf_counter()
        outputs = compute(served, call.inputs, call.rows)
        seconds = time.perf_counter() - started
        reply = dialect.encode(served, call, outputs)
        self._recorder.append(frame(served, call, outputs))
        return reply, seconds


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
