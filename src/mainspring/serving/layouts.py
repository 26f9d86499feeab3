"""The JSON of binary requests that was read before, found again by its bytes.

Of a request whose tensors are all bytes, the JSON says only what they are called and how long they are. A
caller that sends the same shape again and no id sends the same JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.serving.columns import ColumnReader
from mainspring.serving.inference import Kind

LONGEST_HEAD = 4096
MOST_LAYOUTS = 256
"""All are forgotten when there are more: whoever sends a new one each time has no use for them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of one input are in the bytes, and what reads them."""

    name: str
    reader: ColumnReader
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What the JSON of a request says that was checked, beside its id."""

    places: tuple[Place, ...]
    size: int
    """The bytes of all inputs together."""
    rows: int
    kind: Kind | None
    timeout_us: int | None
    outputs: tuple[str, ...]
    binary: frozenset[str] | None


class Layouts:
    """What is known of one model's requests."""

    def __init__(self) -> None:
        self._known: dict[bytes, Layout] = {}

    def find(self, head: bytes, tail: bytes) -> Layout | None:
        """The layout of a request with that JSON and those bytes, if it is known."""
        layout = self._known.get(head)
        return layout if layout is not None and layout.size == len(tail) else None

    def learn(self, head: bytes, layout: Layout) -> None:
        """Remember what that JSON says."""
        if len(head) > LONGEST_HEAD:
            return
        if len(self._known) >= MOST_LAYOUTS:
            self._known.clear()
        self._known[head] = layout
