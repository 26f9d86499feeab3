"""What surrounds a run: configuration, code, environment; and whether it was tried before."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.ids import Digest, Id
from mainspring.core.operation import Done, Operation, Request
from mainspring.tracking.contract import Document, Value


class DescribeRun(Request, frozen=True, kw_only=True):
    """What its client found around the run. The first word on code, environment and setup stays."""

    run: Id
    config: Document = {}
    """Entries to add to the configuration, or to replace."""
    code: Document = {}
    environment: Document = {}
    setup: Digest | None = None
    """Configuration and code, digested by the client; equal ones tried the same thing."""


class FindTried(Request, frozen=True, kw_only=True):
    """The setup of a run, and the data that it trains on as far as it is known."""

    setup: Digest
    data: Annotated[list[Digest], msgspec.Meta(max_length=100)] = []
    """None finds the runs that trained on no dataset."""
    but: Id | None = None
    """The run that asks."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run of the same configuration, code and data."""

    id: str
    name: str
    author: str
    finished_at: dt.datetime | None
    metrics: dict[str, Value]
    """The last value of each metric."""


describe_run = Operation(
    "runs.describe", "POST", "/runs/{run}/description", DescribeRun, Done,
    allow="log", summary="Add what surrounds a run: configuration, code, environment.",
    repeatable=True,
)  # fmt: skip
find_tried = Operation(
    "runs.tried", "GET", "/tried-runs", FindTried, list[Tried],
    allow="read", summary="Find finished runs of the same configuration, code and data.",
)  # fmt: skip
