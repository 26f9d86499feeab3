"""One prediction that was asked for: checked, as tensors, whatever protocol it came by."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count
from os import urandom

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.engines.tensor import Array, Tensors
from mainspring.serving.reserved import ENTITY_KEY, EVENT_TIME, REQUEST_ID, ids_of_rows

RESERVED = {
    REQUEST_ID: Column(name=REQUEST_ID, datatype="BYTES"),
    EVENT_TIME: Column(name=EVENT_TIME, datatype="INT64"),
    ENTITY_KEY: Column(name=ENTITY_KEY, datatype="BYTES"),
}
PROCESS_ID, NUMBERS = urandom(8).hex(), count()
"""What ids are made of for requests that bring none: no other process has the first half."""
LONGEST_ID = 200
LAST_MOMENT = 253_402_300_799_999_999  # the end of the year 9999
Kind = tuple[tuple[str, str, tuple[int, ...]], ...]


class DeadlineExceeded(Invalid):
    """When the time that a caller gave was over before the answer was there."""

    name, status = "deadline_exceeded", 504


@dataclass(slots=True, kw_only=True)
class About:
    """What a request says beside its tensors; times are microseconds UTC."""

    now_us: int
    """When it came; the event time of rows that bring none."""
    id: str | None = None
    timeout_us: int | None = None
    """How long its caller will wait."""


@dataclass(slots=True, kw_only=True)
class InferRequest:
    """One request, checked."""

    id: str
    rows: int
    inputs: Tensors
    outputs: tuple[str, ...]
    """The outputs that the caller wants, in that order; none named means all."""
    now_us: int
    request_ids: list[str] | None
    """The ids of its rows, where they are not told by `id` and their number."""
    event_times: list[int] | None
    entity_keys: list[str] | None
    binary: frozenset[str] | None = None
    """Those of the outputs that the caller wants as bytes; None is all of them."""
    kind: Kind | None = None
    """What may share a call of the engine with it, where the signature leaves that open."""
    deadline: float | None = None
    """By the monotonic clock, in seconds."""
    turns: int = 1
    """For so many turns of the event loop it lets others join; HTTP reads all that came in one."""

    def ids(self) -> list[str]:
        """The id of each row."""
        return self.request_ids or ids_of_rows(self.id, self.rows)

    def is_late(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline is not None and time.monotonic() > self.deadline


def assembled(
    columns: Tensors, rows: int, about: About, outputs: tuple[str, ...], kind: Kind | None
) -> InferRequest:
    """The request of checked tensors; the reserved ones are taken out and checked."""
    ids = times = entities = None
    if not RESERVED.keys().isdisjoint(columns):
        ids = columns.pop(REQUEST_ID, None)
        times = columns.pop(EVENT_TIME, None)
        entities = columns.pop(ENTITY_KEY, None)
    timeout = about.timeout_us
    return InferRequest(
        id=_identity(about.id),
        rows=rows,
        inputs=columns,
        outputs=outputs,
        now_us=about.now_us,
        request_ids=None if ids is None else _request_ids(rows, ids),
        event_times=None if times is None else _event_times(rows, times),
        entity_keys=None if entities is None else _texts(ENTITY_KEY, rows, entities),
        kind=kind,
        deadline=None if timeout is None else time.monotonic() + timeout / 1e6,
    )


def _identity(given: str | None) -> str:
    if given is None:
        return f"{PROCESS_ID}{next(NUMBERS):016x}"
    if not 1 <= len(given) <= LONGEST_ID:
        raise Invalid(
            f"the id has {len(given)} characters; 1 to {LONGEST_ID} are wanted", field="id"
        )
    return given


def _texts(name: str, rows: int, given: Array) -> list[str]:
    _check_rows(name, len(given), rows)
    texts: list[str] = given.tolist()
    for row, value in enumerate(texts):
        if not 1 <= len(value) <= LONGEST_ID:
            raise Invalid(
                f"column {name!r}, row {row}: {len(value)} characters; "
                f"1 to {LONGEST_ID} are wanted",
                field=name,
            )
    return texts


def _request_ids(rows: int, given: Array) -> list[str]:
    ids = _texts(REQUEST_ID, rows, given)
    if len(set(ids)) != rows:
        raise Invalid(f"column {REQUEST_ID!r} names a row twice", field=REQUEST_ID)
    return ids


def _event_times(rows: int, given: Array) -> list[int]:
    _check_rows(EVENT_TIME, len(given), rows)
    if given.min() < 0 or given.max() > LAST_MOMENT:
        row = int(((given < 0) | (given > LAST_MOMENT)).argmax())
        raise Invalid(
            f"column {EVENT_TIME!r}, row {row}: {given[row]} is no moment in microseconds UTC "
            "from 1970 to 9999",
            field=EVENT_TIME,
        )
    times: list[int] = given.tolist()
    return times


def _check_rows(name: str, found: int, rows: int) -> None:
    if found != rows:
        raise Invalid(f"column {name!r} has {found} rows; the inputs have {rows}", field=name)
