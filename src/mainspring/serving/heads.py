"""Heads of requests that were read before, found again by their bytes.

Callers that keep a connection send the same head with every request of one length, and reading it is the
largest part of what a small prediction costs outside its model.
"""

from __future__ import annotations

from dataclasses import dataclass

END = b"\r\n\r\n"
LONGEST_HEAD = 4096
MOST_HEADS = 512
"""Callers may name each request in its head: then all are forgotten each time that so many are known."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the parser found in the head of a small prediction, which may go the express way."""

    path: str
    headers: dict[bytes, bytes]
    length: int
    """The bytes of the body."""


class KnownHeads:
    """The heads that were read before."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, int] | None:
        """The head that the data begin with, and where their body does, if they are one whole request."""
        start = data.find(END, 0, LONGEST_HEAD) + len(END)
        head = self._known.get(data[:start])
        if head is None or len(data) != start + head.length:
            return None
        return head, start

    def learn(self, data: bytes, head: Head) -> None:
        """Remember what the parser found in data that are one whole request, if they are that."""
        start = data.find(END, 0, LONGEST_HEAD) + len(END)
        raw = data[:start]
        # A line may not end in any other way, so that the parser cannot have meant another end.
        if len(data) != start + head.length or raw.count(b"\n") != raw.count(b"\r\n"):
            return
        if len(self._known) >= MOST_HEADS:
            self._known.clear()
        self._known[raw] = head
