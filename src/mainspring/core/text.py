"""Words for people: closest names, sizes, spans."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable


def closest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` if a name is near, else nothing."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def without_hint(message: str) -> str:
    """The message without the name that `closest` added to it."""
    return re.sub(r"; did you mean '.*'\?", "", message)


def in_words(span: dt.timedelta) -> str:
    """A span as people say it: 4.2 s, 12 min, 3.5 h, 9 d."""
    seconds = span.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
