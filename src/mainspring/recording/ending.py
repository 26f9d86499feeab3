"""Runs end with their process, whichever way it ends in that Python still has a word."""

from __future__ import annotations

import atexit

# At exit, when the last runs are shipped, it can no more be imported by whoever needs it then.
import concurrent.futures.thread  # noqa: F401
import contextlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from mainspring.recording import active
from mainspring.recording.records import EndStatus

if TYPE_CHECKING:
    from mainspring.recording.run import Run


class _End:
    """How this process is about to end."""

    installed = False
    interrupted = False
    status: EndStatus = "finished"


def finish_at_exit(_run: Run) -> None:
    """Have runs that are still open finished when the process ends: failed after an exception."""
    if _End.installed:
        return
    _End.installed = True
    # What is registered last is called first: temporary folders, which are finalizers' to remove,
    # are still needed when runs end.
    weakref.finalize(_End, int)
    atexit.register(_finish_at_exit)
    _note_exceptions()
    _note_exit_codes()
    if threading.current_thread() is threading.main_thread():
        _note_termination()


def _finish_all() -> None:
    for run in active.open_runs():
        run.finish(_End.status)


def _finish_at_exit() -> None:
    _finish_all()
    if _End.interrupted:
        # Python ends as interrupted programs do (130 in a shell) if this is what it ran last;
        # whatever was imported just now has made it forget that.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102  a constant


def _note_exceptions() -> None:
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        _End.interrupted = issubclass(kind, KeyboardInterrupt)
        _End.status = "killed" if _End.interrupted else "failed"
        before(kind, error, traceback)

    sys.excepthook = hook


def _note_exit_codes() -> None:
    leave: Callable[[Any], Any] = sys.exit

    def leave_with(code: Any = None) -> None:
        _End.status = "finished" if code in (None, 0) else "failed"
        leave(code)

    sys.exit = leave_with  # type: ignore[assignment]


def _note_termination() -> None:
    """A scheduler that takes the machine away says SIGTERM: end the runs first, if nobody else does."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    signal.signal(signal.SIGTERM, _terminate)
    os.register_at_fork(after_in_child=_leave_termination)


def _terminate(number: int, _frame: FrameType | None) -> None:
    _End.status = "killed"
    _finish_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _leave_termination() -> None:
    """A worker that hangs in C would never come to a handler of Python's: its pool must be able to end it."""
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
