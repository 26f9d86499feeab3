"""The rules of collecting: when a file may go, and where a chunk of the work ends."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

GRACE = dt.timedelta(hours=1)
"""For so long after its bytes came somebody may be about to name a file."""
UPLOAD_PATIENCE = dt.timedelta(days=1)
"""An upload in parts of which nothing was heard for so long is forgotten."""

PHASES = ("runs", "models", "experiments", "uploads", "files", "sweep", "bytes", "space")
"""What is collected, in this order: what is named before what names it no more."""

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Position:
    """How far the collecting has come."""

    phase: str = PHASES[0]
    number: int = 0

    def next_phase(self) -> Position | None:
        """The beginning of the phase after this one; None after the last."""
        after = PHASES.index(self.phase) + 1
        return Position(PHASES[after]) if after < len(PHASES) else None


def read_position(token: str | None) -> Position:
    """The position that a token names; the beginning without one."""
    if token is None:
        return Position()
    phase, _, number = token.partition(":")
    return Position(phase, int(number))


def token_of(position: Position | None) -> str | None:
    """The token of a position; None when all is done."""
    return None if position is None else f"{position.phase}:{position.number}"


def is_free(put_at: dt.datetime, named_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether a file that nothing names may go.

    `named_at` is since when that named it which goes now: bytes that came before came for that.
    Others are given an hour, in which whoever uploaded them says what they are for.
    """
    return put_at <= now - GRACE or (named_at is not None and put_at <= named_at)


def ids_in(texts: Iterable[str]) -> set[str]:
    """The ids of runs and trained models that addresses of files name."""
    return {found for text in texts for found in _ID.findall(text)}


def digests_in(text: str) -> set[str]:
    """The digests that a document names, whatever its shape."""
    return set(_DIGEST.findall(text))
