"""What was typed into a notebook or an IPython shell, as far as it was executed."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from mainspring.recording.redaction import redacted

MAX_CELLS = 5_000


class Cell(NamedTuple):
    """One execution: a cell that was run twice counts twice."""

    number: int
    source: str


def shell() -> Any:
    """The IPython that this process runs in; None outside of one."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython, "get_ipython", lambda: None)()


def executed_cells() -> list[Cell] | None:
    """The cells in the order of their execution, the one that runs now among them; None elsewhere."""
    history = getattr(shell(), "history_manager", None)
    if history is None:
        return None
    sources = list(history.input_hist_raw)[-MAX_CELLS:]
    first = len(history.input_hist_raw) - len(sources)
    return [
        Cell(first + at, source) for at, source in enumerate(sources) if source and source.strip()
    ]


def as_script(cells: list[Cell]) -> str:
    """The cells one below the other, as editors show them, secrets marked."""
    parts = [f"# %% [{cell.number}]\n{cell.source.rstrip()}\n" for cell in cells]
    return redacted("\n".join(parts))[0]
