"""What `mainspring demo` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mainspring.retraining.policy import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoArguments:
    """How the year is played."""

    home: Path | None = None
    """A fresh folder, thrown away at the end, if not given."""
    days: int | None = None
    """How many days after February are played; all that there are if not given."""
    speed: float | None = None
    """Days of the data a second, at most; as fast as the machine can if not given."""
    seed: int = 2013
    level: Level = 3
    keep: bool = False
    """Whether the server stays up at the end."""
    as_json: bool = False
    port: int | None = None
    """Any free port if not given."""
    quiet: bool = False
