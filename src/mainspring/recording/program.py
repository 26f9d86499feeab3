"""Another program, run as if nobody stood between it and the terminal, and listened to.

It has our standard input, our terminal and our signals, and ends with its own exit code. What it
writes is passed on first and kept afterwards. A stream of ours that is a terminal is one for it too,
so that colours and progress bars stay.
"""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import selectors
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mainspring.recording.console import Sink, Stream, Transcript

FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
FROM_TERMINAL = 0x80
"""The kernel's mark (SI_KERNEL) on a signal that a key press sent to everybody on the terminal."""
LOOK_S = 0.5
QUIET_S = 1.0
"""How long the ends of pipes that somebody keeps open are listened to after the program has ended."""

log = logging.getLogger("mainspring.run")


@dataclass(slots=True)
class _Pipe:
    """One stream on its way from the program to ours."""

    stream: Stream
    ours: int
    read: int
    theirs: int
    is_terminal: bool
    transcript: Transcript = field(default_factory=Transcript)


class Program:
    """Runs one command to its end."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], sink: Sink | None
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._sink = sink
        self._pipes: list[_Pipe] = []
        self._heard_at = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, held: Held, started: Callable[[int], object]) -> int:
        """Run it; answers its exit code, 128 and the number for a signal. `started` is given its id.

        Raises `OSError` if it cannot be started.
        """
        self._pipes = [pipe for pipe in (_pipe("stdout", 1), _pipe("stderr", 2)) if pipe]
        try:
            with held.released():
                self._process = self._spawned()
        finally:
            for pipe in self._pipes:
                os.close(pipe.theirs)
        listener = threading.Thread(target=self._listen, name="mainspring-console", daemon=True)
        listener.start()
        started(self._process.pid)
        for number in held.early:
            self._process.send_signal(number)
        code = self._wait(held.signals)
        self._hear_out(listener)
        return code if code >= 0 else 128 - code

    def _spawned(self) -> subprocess.Popen[bytes]:
        ends = {pipe.stream: pipe.theirs for pipe in self._pipes}
        return subprocess.Popen(  # noqa: S603  running what the user says is what this is for
            self._command,
            env=self._environment,
            stdout=ends.get("stdout"),
            stderr=ends.get("stderr"),
        )

    def _wait(self, signals: Sequence[signal.Signals]) -> int:
        """Wait for the end, passing on what is sent to us alone."""
        assert self._process is not None
        while self._process.poll() is None:
            found = signal.sigtimedwait([*signals, signal.SIGCHLD, signal.SIGWINCH], LOOK_S)
            if found is None or found.si_signo == signal.SIGCHLD:
                continue
            if found.si_signo == signal.SIGWINCH:
                for pipe in self._pipes:
                    _take_size(pipe)
            elif found.si_code != FROM_TERMINAL:  # else it has it already
                self._process.send_signal(found.si_signo)
        while signal.sigtimedwait(signals, 0) is not None:
            pass  # it was the program's too: a key that ended it must not interrupt us afterwards
        return self._process.returncode

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for pipe in self._pipes:
                selector.register(pipe.read, selectors.EVENT_READ, pipe)
            while selector.get_map():
                for key, _ in selector.select():
                    if not self._passed_on(key.data):
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        self._keep(key.data, key.data.transcript.end)

    def _passed_on(self, pipe: _Pipe) -> bool:
        """Pass on what there is; False at the end, or if nobody reads us any more."""
        try:
            piece = os.read(pipe.read, 2**16)
            left = memoryview(piece)
            while left:
                left = left[os.write(pipe.ours, left) :]
        except OSError:  # a terminal says its end so, and a pipe that its reader has gone
            return False
        self._heard_at = time.monotonic()
        self._keep(pipe, lambda: pipe.transcript.feed(piece))
        return bool(piece)

    def _keep(self, pipe: _Pipe, said: Callable[[], bytes]) -> None:
        if self._sink is None:
            return
        try:
            lines = said()
            if lines:
                self._sink(pipe.stream, lines)
        except Exception:  # the program goes on, whatever happens to what is kept of it
            self._sink = None
            log.warning("what the command prints is not kept any more", exc_info=True)

    def _hear_out(self, listener: threading.Thread) -> None:
        """Read to the end; a process in the background that keeps our pipes is not waited for."""
        self._heard_at = time.monotonic()
        while listener.is_alive() and time.monotonic() - self._heard_at < QUIET_S:
            listener.join(0.05)
        if listener.is_alive():
            for pipe in self._pipes:
                self._keep(pipe, pipe.transcript.end)


def _pipe(stream: Stream, ours: int) -> _Pipe | None:
    """A pair of ends for one of our streams: a terminal if ours is one; None if ours is closed."""
    try:
        is_terminal = os.isatty(ours)
        os.fstat(ours)
    except OSError:
        return None
    if not is_terminal:
        read, theirs = os.pipe()
        return _Pipe(stream, ours, read, theirs, is_terminal)
    read, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST  # our own terminal turns line ends, once
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    made = _Pipe(stream, ours, read, theirs, is_terminal)
    _take_size(made)
    return made


def _take_size(pipe: _Pipe) -> None:
    """Make the program's terminal as large as ours."""
    if pipe.is_terminal:
        try:
            size = fcntl.ioctl(pipe.ours, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(pipe.read, termios.TIOCSWINSZ, size)
        except OSError:
            log.debug("the terminal's size", exc_info=True)


class Held:
    """Signals that wait until somebody asks for them."""

    def __init__(self, signals: list[signal.Signals], before: set[signal.Signals | int]) -> None:
        self.signals = signals
        self.early: list[int] = []
        """Those that came while the program was being started."""
        self._before = before

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let signals through: a program that is started now inherits what is held."""
        handlers = {
            number: signal.signal(number, lambda got, _frame: self.early.append(got))
            for number in self.signals
        }
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _held_with(self.signals))
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def signals_held() -> Iterator[Held]:
    """Hold the signals that are passed on, but for those that we were told to ignore.

    Threads that are started inside hold them too: so they wait for the one who asks for them, and
    tell who sent them.
    """
    signals = [one for one in FORWARDED if signal.getsignal(one) != signal.SIG_IGN]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _held_with(signals))
    try:
        yield Held(signals, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _held_with(signals: Sequence[signal.Signals]) -> list[signal.Signals]:
    return [*signals, signal.SIGCHLD, signal.SIGWINCH]
