"""Which run is meant when none is named: the innermost of this thread, else the newest of the process."""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mainspring.core.settings import put_variable, read_variable

if TYPE_CHECKING:
    from mainspring.recording.run import Run

_here: ContextVar[tuple[Run, ...]] = ContextVar("mainspring_runs", default=())
_everywhere: list[Run] = []
_known: weakref.WeakSet[Run] = weakref.WeakSet()
_begun_here: set[str] = set()


class _Around:
    """The run of the process that started this one, while runs of this one are open."""

    run: str | None = None


def active_run() -> Run | None:
    """The run that is active here, if any is."""
    for run in reversed(_here.get()):
        if not run.over:
            return run
    return next((run for run in reversed(_everywhere) if not run.over), None)


def enclosing_run() -> Run | None:
    """The run that a new one of this thread would be part of."""
    return next((run for run in reversed(_here.get()) if not run.over), None)


def begin(run: Run) -> None:
    """Make a run the active one."""
    if not open_runs():
        _Around.run = read_variable("MAINSPRING_ACTIVE_RUN")
    _here.set((*(one for one in _here.get() if not one.over), run))
    _everywhere.append(run)
    _known.add(run)
    _begun_here.add(run.id)
    put_variable("MAINSPRING_ACTIVE_RUN", run.id)


def end(run: Run) -> None:
    """Make the one around it active again."""
    _here.set(tuple(one for one in _here.get() if one is not run))
    if run in _everywhere:
        _everywhere.remove(run)
    left = next((one for one in reversed(_everywhere) if not one.over), None)
    around = None if _Around.run == run.id else _Around.run
    put_variable("MAINSPRING_ACTIVE_RUN", left.id if left else around)


def step_aside(run: Run) -> None:
    """Let a run take what is logged, but not be the one around runs that this thread opens."""
    _here.set(tuple(one for one in _here.get() if one is not run))


def begun_here() -> set[str]:
    """The ids of all runs that this process, or the one it was forked from, has begun."""
    return _begun_here


def known_runs() -> list[Run]:
    """The runs of this process that somebody still holds."""
    return list(_known)


def open_runs() -> list[Run]:
    """The runs of this process that are not over, innermost first."""
    return [run for run in reversed(_everywhere) if not run.over]
