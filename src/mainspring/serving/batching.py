"""Requests that came together, on their way to one call of the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from mainspring.core.errors import Unavailable
from mainspring.engines.tensor import Tensors
from mainspring.serving.http import Reply
from mainspring.serving.protocol import InferRequest

if TYPE_CHECKING:
    from mainspring.serving.dialect import Dialect

MOST_ROWS = 1024
"""A batch that has so many rows takes no more; the next one is begun."""

Outcome = Reply | Exception
"""What one member is told: its answer, or why there is none."""


@dataclass(slots=True, eq=False)
class Member:
    """One checked request in a batch; the first one has no future, since it runs the batch."""

    call: InferRequest
    dialect: Dialect
    joined: float
    answered: asyncio.Future[Reply] | None = None


class Batch:
    """Requests of one version, in the order in which they came."""

    def __init__(self, first: Member) -> None:
        self.members = [first]
        self.rows = first.call.rows
        self.began = first.joined
        """When the engine was last called for it."""

    def takes(self, call: InferRequest) -> bool:
        """Whether there is room for these rows."""
        return self.rows + call.rows <= MOST_ROWS

    def add(self, member: Member) -> None:
        """Let it take part."""
        self.members.append(member)
        self.rows += member.call.rows

    def inputs(self) -> Tensors:
        """The columns of all members, one below the other."""
        calls = [member.call.inputs for member in self.members]
        if len(calls) == 1:
            return calls[0]
        return {name: np.concatenate([inputs[name] for inputs in calls]) for name in calls[0]}

    def parts(self, outputs: Tensors) -> list[Tensors]:
        """The outputs that belong to each member."""
        if len(self.members) == 1:
            return [outputs]
        ends = accumulate((member.call.rows for member in self.members), initial=0)
        return [
            {name: values[start:end] for name, values in outputs.items()}
            for start, end in pairwise(ends)
        ]

    def tell(self, outcomes: list[Outcome]) -> Reply:
        """Give every other member its outcome; the first one's is answered, or raised."""
        if len(outcomes) > 1:
            for member, outcome in zip(self.members, outcomes, strict=True):
                _settle(member, outcome)
        first = outcomes[0]
        if isinstance(first, Exception):
            raise first
        return first

    def fail(self, error: BaseException) -> None:
        """Tell the other members that the first one could not run the batch."""
        if not isinstance(error, Exception):
            error = Unavailable("this process is stopping")
        for member in self.members:
            _settle(member, error)


def _settle(member: Member, outcome: Outcome) -> None:
    waiting = member.answered
    if waiting is None or waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)


class Line:
    """The way to the engine of one version: one batch that fills, and one at the engine."""

    def __init__(self) -> None:
        self.filling: Batch | None = None
        self.engine = asyncio.Lock()
        self.seconds = 0.0
        """How long the engine takes: the shorter of its last two small calls.

        One alone may have been long only because another process had the processor.
        """
        self._last = 0.0

    def learn(self, seconds: float) -> None:
        """Take the newest call into account."""
        self.seconds, self._last = min(seconds, self._last), seconds
