"""What the demo tells while it plays: a story on one side, a progress bar under it."""

from __future__ import annotations

import sys
import time
from typing import TextIO

WIDTH = 28


class Story:
    """Tells on standard error, so that standard output is left to the result."""

    def __init__(self, *, quiet: bool, output: TextIO | None = None) -> None:
        self._quiet = quiet
        self._output = output or sys.stderr
        self._bar = self._output.isatty()
        self._started = time.monotonic()
        self._shown = ""
        self._last = 0.0

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self._started

    def chapter(self, title: str) -> None:
        """A new part."""
        self.tell(f"\n{title}\n{'-' * len(title)}")

    def tell(self, text: str) -> None:
        """One line or more."""
        if self._quiet:
            return
        self._clear()
        self._output.write(f"{text}\n")
        self._output.flush()

    def progress(self, share: float, text: str) -> None:
        """Move the bar, at most ten times a second; without a terminal there is none."""
        now = time.monotonic()
        if self._quiet or not self._bar or (now - self._last < 0.1 and share < 1):
            return
        self._last = now
        done = round(WIDTH * share)
        self._clear()
        self._shown = f"[{'#' * done}{'.' * (WIDTH - done)}] {share:4.0%}  {text}"
        self._output.write(self._shown)
        self._output.flush()

    def end(self) -> None:
        """Remove the bar."""
        self._clear()

    def _clear(self) -> None:
        if self._shown:
            self._output.write("\r" + " " * len(self._shown) + "\r")
            self._shown = ""
