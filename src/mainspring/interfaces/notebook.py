"""`%load_ext mainspring`: in a notebook or an IPython shell, trainings and cells are kept.

The code of a run is what was executed until it began; the script of the run, `code/cells.py`, grows
with each further cell until it is over.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any, Protocol

from mainspring.interfaces.sdk import words
from mainspring.recording import active
from mainspring.recording.capture.cells import as_script, executed_cells
from mainspring.recording.capture.code import CELLS
from mainspring.recording.run import Run
from mainspring.recording.surroundings import CAPTURE_THREAD

SAVED_EVERY_S = 5.0
PATIENCE_S = 10.0


class Events(Protocol):
    """What IPython lets one be called at."""

    def register(self, event: str, function: Any) -> None: ...
    def unregister(self, event: str, function: Any) -> None: ...


class Shell(Protocol):
    """The part of IPython's shell that is used here."""

    events: Events


class _Notebook:
    """Keeps the cells with every run that is open while they are executed."""

    def __init__(self) -> None:
        self._followed: set[str] = set()
        self._saved_at = 0.0

    def cell_done(self, _result: object = None) -> None:
        """A cell has been executed."""
        for run in active.open_runs():
            if run.id not in self._followed and run.is_opener:
                self._followed.add(run.id)
                run.observers.add(stop=partial(_save_at_end, run))
        # Until the end, now and then: a kernel may be killed.
        if time.monotonic() - self._saved_at >= SAVED_EVERY_S:
            self._saved_at = time.monotonic()
            for run in active.open_runs():
                _save(run)


def _save(run: Run) -> None:
    cells = executed_cells()
    if cells and run.is_opener and not run.over:
        run.log_text(as_script(cells), CELLS)


def _save_at_end(run: Run) -> None:
    """Save all cells, after those that were read when the run began have been written."""
    for thread in threading.enumerate():
        if thread.name == CAPTURE_THREAD:
            thread.join(PATIENCE_S)
    _save(run)


_notebook = _Notebook()


def load_ipython_extension(shell: Shell) -> None:
    """Turn autologging on, and keep the cells with the runs; IPython calls it."""
    words.autolog()
    shell.events.register("post_run_cell", _notebook.cell_done)


def unload_ipython_extension(shell: Shell) -> None:
    """Keep no further cells; IPython calls it."""
    shell.events.unregister("post_run_cell", _notebook.cell_done)
