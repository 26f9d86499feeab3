"""What a command of the command line left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[list[str]]:
        """Standard output as tab-separated lines."""
        return [line.split("\t") for line in self.out.splitlines()]


Mainspring = Callable[..., Said]
