"""Requests that came together, on their way to one call of the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.core.errors import Unavailable
from mainspring.engines.tensor import Tensors
from mainspring.serving.inference import DeadlineExceeded, InferRequest

if TYPE_CHECKING:
    from mainspring.serving.fleet import ServedModel

MOST_ROWS = 1024
"""A batch that has so many rows takes no more; the next one is begun."""
SMALL_BATCH = 64
"""Up to here the number of rows hardly changes what a call costs."""
LARGE_CALLS = 2

Encode = Callable[["ServedModel", InferRequest, Tensors], Any]
"""Outputs to an answer, in the protocol that the request came by; called from any thread."""


class Stopping(Unavailable):
    """When a process ends before it has an answer."""

    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("this process is stopping", fix="call again")


@dataclass(slots=True, eq=False)
class Member:
    """One checked request in a batch; times are seconds of `time.perf_counter`."""

    call: InferRequest
    encode: Encode
    began: float
    """When the request came."""
    joined: float
    """When it was ready for the engine."""
    tell: Callable[[Any], None] | None
    """What is called with the answer, or the error; none once it was, or nobody waits any more."""
    answered: asyncio.Future[Any] | None = None
    """What its caller waits for, if it waits; cancelled at once when it goes away."""
    timer: asyncio.TimerHandle | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for its answer."""
        return self.tell is not None and (self.answered is None or not self.answered.cancelled())

    def settle(self, outcome: Any) -> None:
        """Tell its caller, if nothing was told."""
        tell = self.tell
        if tell is not None:
            self.leave()
            tell(outcome)

    def leave(self) -> None:
        """Tell nothing any more."""
        self.tell = None
        if self.timer is not None:
            self.timer.cancel()

    def give_up_at_deadline(self, seconds: float) -> None:
        """From its deadline on, or after `seconds` without one, it is told that it is late."""
        left, limit = seconds, f"within {seconds:g} s"
        if self.call.deadline is not None:
            left, limit = self.call.deadline - time.monotonic(), "before the request's deadline"
        error = DeadlineExceeded(
            f"there was no answer {limit}", fix="allow more time, or send less"
        )
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(max(left, 0.0), self.settle, error)


class Batch:
    """Requests of one version, in the order in which they came."""

    def __init__(self, first: Member) -> None:
        self.members = [first]
        self.rows = first.call.rows
        self.began = first.joined
        """When the engine was last called for it."""
        self.is_led = False
        """Whether a task of its own runs it, so that its members may have to wait."""

    def takes(self, call: InferRequest) -> bool:
        """Whether there is room for these rows, and they can stand below the others."""
        return self.rows + call.rows <= MOST_ROWS and call.kind == self.members[0].call.kind

    def add(self, member: Member) -> None:
        """Let it take part."""
        self.members.append(member)
        self.rows += member.call.rows

    def drop_late(self) -> None:
        """Leave out those whose callers wait no longer."""
        kept = []
        for member in self.members:
            if member.call.deadline is not None and member.call.is_late():
                member.settle(DeadlineExceeded("the deadline passed while the request waited"))
            elif member.is_wanted:
                kept.append(member)
        self.members = kept
        self.rows = sum(member.call.rows for member in kept)

    def inputs(self) -> Tensors:
        """The tensors of all members, one below the other."""
        calls = [member.call.inputs for member in self.members]
        if len(calls) == 1:
            return calls[0]
        joined = {name: np.concatenate([inputs[name] for inputs in calls]) for name in calls[0]}
        for name, values in calls[0].items():
            if values.dtype.metadata is not None:  # which numpy drops there: BF16 is marked by it
                joined[name] = joined[name].view(values.dtype)
        return joined

    def parts(self, outputs: Tensors) -> list[Tensors]:
        """The outputs that belong to each member."""
        if len(self.members) == 1:
            return [outputs]
        ends = accumulate((member.call.rows for member in self.members), initial=0)
        return [
            {name: values[start:end] for name, values in outputs.items()}
            for start, end in pairwise(ends)
        ]

    def tell(self, outcomes: list[Any]) -> None:
        """Give every member its outcome."""
        for member, outcome in zip(self.members, outcomes, strict=True):
            member.settle(outcome)

    def fail(self, error: BaseException) -> None:
        """Tell all members that the batch could not be run."""
        if not isinstance(error, Exception):
            error = Stopping()
        for member in self.members:
            member.settle(error)


class Line:
    """The way to the engine of one version: one batch that fills, and one at the engine."""

    def __init__(self) -> None:
        self.filling: Batch | None = None
        self.engine = asyncio.Lock()
        self.large = asyncio.Semaphore(LARGE_CALLS)
        """For requests that are batches of their own, and need not wait for small ones."""
        self.waiting = 0
        """Requests that are not at the engine yet."""
        self.seconds = 0.0
        """How long the engine takes: the shorter of its last two small calls.

        One alone may have been long only because another process had the processor.
        """
        self._last = 0.0
        self.row_seconds = self._last_row = float("inf")
        """The same for each row of a large call; unknown until there was one."""
        self.called_at: dict[Batch, float] = {}
        """The calls under way in threads, by when they began (`time.monotonic`)."""
        self._threads: ThreadPoolExecutor | None = None

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Threads of its own: an engine that hangs takes none from the other models."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1 + LARGE_CALLS, thread_name_prefix="engine")
        return self._threads

    def learn(self, seconds: float, rows: int) -> None:
        """Take the newest call into account."""
        if rows <= SMALL_BATCH:
            self.seconds, self._last = min(seconds, self._last), seconds
        else:
            each = seconds / rows
            self.row_seconds, self._last_row = min(each, self._last_row), each

    def expected(self, rows: int) -> float:
        """How many seconds a call with so many rows is likely to take."""
        return self.seconds if rows <= SMALL_BATCH else rows * self.row_seconds

    def longest_call(self) -> float:
        """For how many seconds the oldest call has been under way."""
        return max((time.monotonic() - at for at in self.called_at.values()), default=0.0)
