"""`mainspring run` stands between nobody: keys, signals and terminals are the command's."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.commands import DEADLINE_S, PYTHON, RUN, Place, Terminal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder, and a home that is made when it is needed."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Place(folder, tmp_path / "home")


WAITS = """
import signal, sys, time
got = []
def note(number, frame):
    got.append(number)
    print("got", signal.Signals(number).name, len(got), flush=True)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, note)
print("ready", sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty(), flush=True)
while len(got) < int(sys.argv[1]):
    signal.pause()
end = time.monotonic() + 0.3
while time.monotonic() < end:
    pass
print("in all", len(got))
sys.exit(7)
"""


def test_signals_that_are_sent_to_us_reach_the_command(place: Place) -> None:
    process = subprocess.Popen(
        [*RUN, "--", PYTHON, place.script(WAITS), "3"],
        cwd=place.folder, env=place.environment(), stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen = [process.stdout.readline()]

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
        seen.append(process.stdout.readline())
    rest, _ = process.communicate(timeout=DEADLINE_S)

    assert seen[1:] == ["got SIGINT 1\n", "got SIGTERM 2\n", "got SIGINT 3\n"]
    assert rest == "in all 3\n"
    assert process.returncode == 7
    assert place.only().status == "failed"


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals that are closed in the end."""
    made: list[Terminal] = []
    yield made
    for one in made:
        one.close()


def test_on_a_terminal_the_command_has_one_and_a_key_reaches_it_once(
    place: Place, terminals: list[Terminal]
) -> None:
    terminal = Terminal(place, PYTHON, place.script(WAITS), "2")
    terminals.append(terminal)

    terminal.until("ready True True True\r\n")
    terminal.press(b"\x03")
    terminal.until("got SIGINT 1")
    terminal.press(b"\x03")
    code = terminal.ended()

    assert "in all 2" in terminal.text
    assert "\r\r\n" not in terminal.text
    assert code == 7
    assert "in all 2" in place.printed("stdout")


ENDED_BEFORE_WE_LOOK = """
import os, signal, sys
from mainspring.recording.program import Program, signals_held

def interrupt(child):
    os.killpg(0, signal.SIGINT)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)

with signals_held() as held:
    code = Program([sys.executable, "-c", "import signal; signal.pause()"], os.environ, None).run(
        held, interrupt
    )
print(code)
"""


def test_a_key_that_ended_the_command_before_we_saw_it_does_not_interrupt_us(place: Place) -> None:
    """A busy machine may run the command first: the signal waits for us when it is over."""
    answer = subprocess.run(
        [PYTHON, place.script(ENDED_BEFORE_WE_LOOK)],
        cwd=place.folder, env=place.environment(), capture_output=True, text=True,
        check=False, timeout=DEADLINE_S, start_new_session=True,
    )  # fmt: skip

    assert (answer.stderr, answer.stdout) == ("", "130\n")


def test_an_interrupted_command_is_a_killed_run(place: Place, terminals: list[Terminal]) -> None:
    script = place.script("import signal\nprint('ready', flush=True)\nsignal.pause()\n")
    terminal = Terminal(place, PYTHON, script)
    terminals.append(terminal)

    terminal.until("ready")
    terminal.press(b"\x03")

    assert terminal.ended() == 130
    assert place.only().status == "killed"
