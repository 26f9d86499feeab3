"""The chain of hashes over events: how one is made, and what breaks it first; no storage.

Each event holds the hash of the one before it, and its own hash covers that and all its columns. So
an event that was edited, deleted, added or moved betrays itself or its follower. Who writes the
whole rest of a chain anew leaves no such trace: that only a hash noted elsewhere finds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import msgspec

from mainspring.core.blobs import canonical_json
from mainspring.core.clock import to_micros

GENESIS = "0" * 64
"""The hash before a workspace's first event."""
UNHASHED = frozenset({"id", "workspace_id", "previous_hash", "hash"})
FAR = 10_000
"""How far from its place an event is looked for that was moved."""

Row = Mapping[str, Any]
Wrong = Literal["changed", "missing", "inserted", "moved", "cut", "rewritten", "checkpoints"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry that is not as it was written."""

    wrong: Wrong
    found: str
    """What is wrong, in words."""
    sequence: int | None = None
    """Of the event; None if it is the file of checkpoints that was altered."""
    event: str | None = None
    """The event's id, if it is there."""
    line: int | None = None
    """Of the file of checkpoints."""


class Mark(msgspec.Struct, frozen=True):
    """A place in a chain, and the hash of the event there."""

    sequence: int
    hash: str


START = Mark(0, GENESIS)


def hashed_text(row: Row) -> bytes:
    """What the hash of an event covers, besides the hash before it: its columns in canonical JSON."""
    return canonical_json(
        {
            name: to_micros(value) if isinstance(value, dt.datetime) else value
            for name, value in row.items()
            if name not in UNHASHED
        }
    )


def chain_hash(previous: str, row: Row) -> str:
    """The hash of an event: of the one before it and of its own columns."""
    return hashlib.sha256(previous.encode() + hashed_text(row)).hexdigest()


@dataclass(slots=True)
class Walk:
    """A way along a chain, as far as it holds; `marks` are what is known of it from elsewhere."""

    rows: Iterator[Row]
    marks: Sequence[Mark] = ()
    """In their order; those before the start are passed over."""
    last: Mark = START
    """The last event that is as it was written."""
    held: int = 0
    """How many marks were what they should be."""
    vouched: int = 0
    """The last sequence that a mark has agreed with."""
    event: str | None = None

    def first_fault(self, head: Mark | None) -> Fault | None:
        """Go to the end, or to the first event that is wrong; the head is where it should end."""
        marks = iter([mark for mark in self.marks if mark.sequence > self.last.sequence])
        mark = next(marks, None)
        for row in self.rows:
            wrong = self._wrong(row)
            if wrong is not None:
                return wrong
            self.last, self.event = Mark(row["sequence"], row["hash"]), row["public_id"]
            while mark is not None and mark.sequence == self.last.sequence:
                if mark.hash != self.last.hash:
                    return self._rewritten(mark)
                self.held, self.vouched, mark = self.held + 1, mark.sequence, next(marks, None)
        return self._shorter(mark) or self._other_head(head)

    def _wrong(self, row: Row) -> Fault | None:
        wanted = self.last.sequence + 1
        if row["sequence"] == wanted and row["previous_hash"] == self.last.hash:
            if chain_hash(self.last.hash, row) == row["hash"]:
                return None
            if self._is_elsewhere():
                return _fault("inserted", wanted, row, "it was never written by Mainspring")
            return _fault("changed", wanted, row, "its columns are not those that were hashed")
        if not isinstance(row["sequence"], int) or row["sequence"] < wanted:
            return _fault("inserted", wanted, row, f"its sequence is {row['sequence']!r}")
        if row["sequence"] > wanted:
            text = f"event {wanted} is missing: {row['sequence']} follows {wanted - 1}"
            return Fault(wrong="missing", sequence=wanted, found=text)
        return self._does_not_follow(wanted, row)

    def _does_not_follow(self, wanted: int, row: Row) -> Fault:
        """It names another event as the one before it: find out which of the two is wrong."""
        place = _place_of(row)
        if place is None:
            if self._is_elsewhere():
                return _fault("inserted", wanted, row, "it was never written by Mainspring")
            return _fault("changed", wanted, row, "its columns are not those that were hashed")
        if place == wanted:
            return self._follows_another(wanted, row)
        if place < wanted:
            text = f"event {wanted} was {place} when it was written"
            event = self.event if place == wanted - 1 else None
            return Fault(wrong="inserted", sequence=place, event=event, found=text)
        if self._is_elsewhere():
            return _fault("moved", wanted, row, f"it was {place} when it was written")
        text = f"event {wanted} is missing: what was {place} stands in its place"
        return Fault(wrong="missing", sequence=wanted, found=text)

    def _follows_another(self, wanted: int, row: Row) -> Fault:
        """It is untouched: so the one before it is not, unless a mark has agreed with that one."""
        if self.vouched >= wanted - 1:
            return _fault("changed", wanted, row, "it does not follow the one before it")
        text = f"event {wanted - 1} and its hash were written anew: {wanted} follows another one"
        return Fault(wrong="changed", sequence=wanted - 1, event=self.event, found=text)

    def _is_elsewhere(self) -> bool:
        """Whether the event that should come next is further on; nothing follows this question."""
        return any(
            row["previous_hash"] == self.last.hash and _place_of(row) == self.last.sequence + 1
            for row in self.rows
        )

    def _rewritten(self, mark: Mark) -> Fault:
        first = self.vouched + 1
        which = f"event {first}" if first == mark.sequence else f"events {first} to {mark.sequence}"
        return Fault(
            wrong="rewritten",
            sequence=first,
            event=self.event if first == mark.sequence else None,
            found=f"{which}: the checkpoint at {mark.sequence} vouches for others",
        )

    def _shorter(self, mark: Mark | None) -> Fault | None:
        if mark is None:
            return None
        text = f"the log ends at {self.last.sequence}, and had reached the checkpoint at {mark.sequence}"
        return Fault(wrong="cut", sequence=self.last.sequence + 1, found=text)

    def _other_head(self, head: Mark | None) -> Fault | None:
        """The last event has no follower that would betray it: the workspace's row does."""
        if head is None or head == self.last:
            return None
        if not isinstance(head.sequence, int):  # SQLite keeps what it is given
            text = f"the workspace's row tells {head.sequence!r} for the number of its events"
            return Fault(wrong="changed", sequence=self.last.sequence, event=self.event, found=text)
        if head.sequence > self.last.sequence:
            text = f"the log ends at {self.last.sequence}, and {head.sequence} events were written"
            return Fault(wrong="cut", sequence=self.last.sequence + 1, found=text)
        if head.sequence < self.last.sequence:
            text = f"{head.sequence} events were written, and there are {self.last.sequence}"
            return Fault(wrong="inserted", sequence=head.sequence + 1, found=text)
        text = f"event {head.sequence} and its hash were written anew: the workspace knows another"
        return Fault(wrong="changed", sequence=head.sequence, event=self.event, found=text)


def _fault(wrong: Wrong, sequence: int, row: Row, text: str) -> Fault:
    found = f"event {sequence} ({row['public_id']}) is wrong: {text}"
    return Fault(wrong=wrong, sequence=sequence, event=str(row["public_id"]), found=found)


def _place_of(row: Row) -> int | None:
    """The sequence that the event had when it was hashed, if it is untouched but for that."""
    here = row["sequence"]
    if not isinstance(here, int):
        return None
    nearest = chain([here], *((here - far, here + far) for far in range(1, FAR)))
    for place in nearest:
        if chain_hash(str(row["previous_hash"]), {**row, "sequence": place}) == row["hash"]:
            return place
    return None
