"""What a program prints, kept line by line: what it shows on the terminal stays as it is.

The lines of a progress bar count once, with what they said last. Colours and movements of the cursor
are left out, secrets are marked. A stream is kept up to 10 MB; of what follows the last megabyte.
"""

from __future__ import annotations

import codecs
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from mainspring.recording.capture.cells import shell
from mainspring.recording.redaction import Redactor

Stream = Literal["stdout", "stderr"]
Sink = Callable[[Stream, bytes], object]

MAX_KEPT, MAX_LAST = 10 * 2**20, 2**20
MAX_LINE = 64 * 2**10
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

log = logging.getLogger("mainspring.run")


class Transcript:
    """One stream's text as whole lines that may be kept."""

    def __init__(self, keep: int = MAX_KEPT, last: int = MAX_LAST) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._redactor = Redactor()
        self._line = ""
        self._room = keep
        self._last: deque[bytes] = deque()
        self._last_room = last
        self._left_out = 0

    def feed(self, piece: bytes | str) -> bytes:
        """The lines that are complete now, ready to be kept; empty if none is."""
        text = piece if isinstance(piece, str) else self._decoder.decode(piece)
        if "\n" not in text:
            self._begin(text)
            return b""
        whole, _, rest = text.rpartition("\n")
        lines = f"{self._line}{whole}".split("\n")
        self._line = ""
        self._begin(rest)
        return self._kept(b"".join(map(self._finished, lines)))

    def end(self) -> bytes:
        """The line that nobody ended, and the last of what was too much."""
        rest = self._line + self._decoder.decode(b"", final=True)
        self._line = ""
        found = self._kept(self._finished(rest)) if rest else b""
        if self._left_out or self._last:
            size = self._left_out
            note = f"[... {size:,} bytes are left out here ...]\n".encode() if size else b""
            found += note + b"".join(self._last)
            self._last.clear()
            self._left_out = 0
        return found

    def _begin(self, text: str) -> None:
        """Go on with a line; of one that is overwritten again and again, only its last state."""
        line = self._line + text
        if "\r" in text:
            # What stands behind the last return is what is seen, unless nothing does yet.
            states = line.rstrip("\r").split("\r")
            line = states[-1] + line[len(line.rstrip("\r")) :][:1]
        self._line = line[:MAX_LINE]

    def _finished(self, line: str) -> bytes:
        states = line.rstrip("\r").split("\r")
        seen = _CONTROL.sub("", _ESCAPE.sub("", states[-1]))[:MAX_LINE]
        plain = seen.rstrip() if len(states) > 1 else seen
        return f"{self._redactor.line(plain)}\n".encode("utf-8", "replace")

    def _kept(self, text: bytes) -> bytes:
        if len(text) <= self._room:
            self._room -= len(text)
            return text
        cut = text.rfind(b"\n", 0, self._room) + 1
        kept, over = text[:cut], text[cut:]
        self._room = 0
        for line in over.splitlines(keepends=True):
            self._last.append(line)
            self._last_room -= len(line)
            while self._last_room < 0 and self._last:
                dropped = len(self._last.popleft())
                self._last_room += dropped
                self._left_out += dropped
        return kept


class Console:
    """Listens to what this process prints, without standing in the way.

    The two streams stay the objects they were: only their `write` passes a copy on. So whoever holds
    them already (a logger's handler), asks whether they are a terminal, or puts them aside, is not
    affected.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._taps: list[_Tap] = []
        self._shell: Any = None

    def start(self) -> None:
        """Listen from now on."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if stream is not None:
                tap = _Tap(name, stream, self._sink)
                if tap.attach():
                    self._taps.append(tap)
        # IPython listens to each cell in the same way, and at its end puts back what it had found.
        self._shell = shell()
        if self._shell is not None:
            self._shell.events.register("pre_run_cell", self._listen_again)

    def stop(self) -> None:
        """Listen no more, and pass on what was not ended by a line end."""
        if self._shell is not None:
            self._shell.events.unregister("pre_run_cell", self._listen_again)
            self._shell = None
        while self._taps:
            self._taps.pop().detach()

    def _listen_again(self, _info: object = None) -> None:
        for tap in self._taps:
            tap.attach()


class _Tap:
    """A copy of what is written to one stream."""

    def __init__(self, name: Any, stream: Any, sink: Sink) -> None:
        self._name: Stream = name
        self._stream = stream
        self._sink = sink
        self._transcript = Transcript()
        # The same thread may come back: a signal handler that prints, a sink that does.
        self._lock = threading.RLock()
        self._inside = False
        self._listens = True
        self._pid = os.getpid()
        self._ours: Callable[..., Any] | None = None
        self._below: Callable[..., Any] | None = None
        """What stood on the stream itself before; None if it had only its class's."""

    def attach(self) -> bool:
        """Put a copying `write` in place, unless it is; answers whether the stream allows it."""
        own = getattr(self._stream, "__dict__", {}).get("write")
        if self._ours is not None and own is self._ours:
            return True
        below = self._stream.write

        def write(text: str, *more: Any, **named: Any) -> Any:
            written = below(text, *more, **named)
            # One that lies below a newer one of ours only passes on.
            if self._ours is write and self._listens:
                self._copy(text)
            return written

        try:
            self._stream.write = write
        except (AttributeError, TypeError):
            return False
        self._ours, self._below = write, own
        return True

    def detach(self) -> None:
        """Take it away, unless somebody has put another on top; then it only passes on."""
        ours, self._ours = self._ours, None
        with self._lock:
            self._pass(self._transcript.end)
        if getattr(self._stream, "__dict__", {}).get("write") is not ours:
            return
        if self._below is None:
            del self._stream.write
        else:
            self._stream.write = self._below

    def _copy(self, text: object) -> None:
        # A forked child's words are not ours, and its locks may be held by nobody.
        if self._pid == os.getpid() and isinstance(text, str):
            with self._lock:
                self._pass(lambda: self._transcript.feed(text))

    def _pass(self, said: Callable[[], bytes]) -> None:
        if self._inside:
            return
        self._inside = True
        try:
            lines = said()
            if lines:
                self._sink(self._name, lines)
        except Exception:  # whoever prints must not suffer
            self._listens = False
            log.debug("keeping what is printed", exc_info=True)
        finally:
            self._inside = False
