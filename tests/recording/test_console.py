"""What a program prints is kept, and appears as ever."""
# ruff: noqa: T201  printing is what is tried here

from __future__ import annotations

import io
import logging
import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.recording.console import Console, Stream, Transcript
from mainspring.recording.redaction import MARK


class Heard:
    """What was passed on, by stream."""

    def __init__(self) -> None:
        self.text: dict[Stream, str] = {"stdout": "", "stderr": ""}

    def __call__(self, stream: Stream, said: bytes) -> None:
        self.text[stream] += said.decode()


@pytest.fixture
def heard() -> Heard:
    """A sink that remembers."""
    return Heard()


def said(*pieces: bytes | str) -> str:
    transcript = Transcript()
    return b"".join([*(transcript.feed(piece) for piece in pieces), transcript.end()]).decode()


def test_whole_lines_are_kept_as_soon_as_they_are_whole() -> None:
    transcript = Transcript()

    assert transcript.feed("one\ntw") == b"one\n"
    assert transcript.feed("o\n") == b"two\n"
    assert transcript.end() == b""


def test_a_progress_bar_counts_once_with_what_it_said_last() -> None:
    bar = "".join(f"\r{done}%|{'#' * done}" for done in range(50))

    assert said(f"start\n{bar}", "\r100%|done\n", "next\n") == "start\n100%|done\nnext\n"


@pytest.mark.parametrize(
    ("pieces", "kept"),
    [
        (("one\r\n", "two\r\n"), "one\ntwo\n"),
        (("one\r", "\ntwo\n"), "one\ntwo\n"),
        (("50%\r", "100%\r", "\n"), "100%\n"),
        (("100%\r", "    \r", "done\n"), "done\n"),
        (("no end",), "no end\n"),
        (("", "\n", ""), "\n"),
    ],
)
def test_returns_mean_what_they_mean_on_a_terminal(pieces: tuple[str, ...], kept: str) -> None:
    assert said(*pieces) == kept


def test_colours_and_movements_are_left_out() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07plain\x1b[2K\x07\n"

    assert said(text) == "red plain\n"


def test_a_character_that_comes_in_two_pieces_is_one() -> None:
    encoded = "größe\n".encode()

    assert said(encoded[:3], encoded[3:]) == "größe\n"


def test_secrets_are_marked_however_they_are_cut_into_pieces() -> None:
    assert said("pass", "word = 'hun", "ter2'\n") == f"password = '{MARK}'\n"


@given(st.lists(st.text("ab\n\r\x1b[1m", max_size=12), max_size=12))
def test_the_pieces_do_not_matter(pieces: list[str]) -> None:
    whole = said("".join(pieces))

    assert said(*pieces) == whole
    assert "\r" not in whole


def test_of_very_much_the_beginning_and_the_end_are_kept() -> None:
    transcript = Transcript(keep=100, last=40)

    kept = b"".join(transcript.feed(f"line {number:03}\n") for number in range(1000))
    end = transcript.end().decode().splitlines()

    assert kept.splitlines()[-1] == b"line 010"
    assert end[0] == f"[... {9 * (1000 - 11 - 4):,} bytes are left out here ...]"
    assert end[1:] == ["line 996", "line 997", "line 998", "line 999"]


def test_what_is_printed_appears_and_is_kept(
    heard: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(heard)

    console.start()
    print("to people")
    print("to logs", file=sys.stderr)
    print("unended", end="")
    console.stop()
    print("afterwards")

    assert capsys.readouterr() == ("to people\nunendedafterwards\n", "to logs\n")
    assert heard.text == {"stdout": "to people\nunended\n", "stderr": "to logs\n"}


def test_the_streams_stay_what_they_were(heard: Heard) -> None:
    before = sys.stdout, sys.stderr, sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.write
    console = Console(heard)

    console.start()
    inside = sys.stdout, sys.stderr, sys.stdout.isatty(), sys.stdout.encoding
    console.stop()

    assert inside == before[:4]
    assert sys.stdout.write == before[4]


def test_a_handler_that_was_made_before_is_heard_too(heard: Heard) -> None:
    stream = sys.stderr
    handler = logging.StreamHandler(stream)
    console = Console(heard)

    console.start()
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "from a handler", None, None))
    console.stop()

    assert heard.text["stderr"] == "from a handler\n"


def test_two_that_listen_both_hear_whichever_stops_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = Heard(), Heard()
    outer, inner = Console(first), Console(second)

    outer.start()
    inner.start()
    print("both")
    outer.stop()
    print("one")
    inner.stop()
    print("none")

    assert first.text["stdout"] == "both\n"
    assert second.text["stdout"] == "both\none\n"
    assert capsys.readouterr().out == "both\none\nnone\n"


def test_one_that_somebody_stands_upon_leaves_him_alone(heard: Heard) -> None:
    console = Console(heard)
    console.start()
    below = sys.stdout.write
    seen: list[str] = []

    def his(text: str) -> int:
        seen.append(text)
        return below(text)

    sys.stdout.write = his  # type: ignore[method-assign]

    console.stop()
    print("still his")
    del sys.stdout.write

    assert "still his" in seen
    assert heard.text["stdout"] == ""


def test_a_sink_that_fails_or_prints_does_not_reach_the_one_who_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def loud(_stream: Stream, _said: bytes) -> None:
        print("an echo")
        raise OSError("no space left")

    console = Console(loud)
    console.start()
    print("first")
    print("second")
    console.stop()

    assert capsys.readouterr().out == "first\nan echo\nsecond\n"


def test_many_threads_print_whole_lines(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(heard)
    console.start()
    threads = [
        threading.Thread(target=lambda: [sys.stdout.write("x" * 50 + "\n") for _ in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    console.stop()

    assert heard.text["stdout"] == ("x" * 50 + "\n") * 400


def test_a_forked_childs_words_are_its_own(heard: Heard) -> None:
    console = Console(heard)
    console.start()
    child = os.fork()
    if child == 0:
        print("from the child")
        os._exit(1 if heard.text["stdout"] else 0)
    _, status = os.waitpid(child, 0)
    console.stop()

    assert os.waitstatus_to_exitcode(status) == 0
    assert "child" not in heard.text["stdout"]


def test_a_stream_that_takes_no_listener_is_left_alone(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    stream = Closed()
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console(heard)

    console.start()
    print("untouched")
    console.stop()

    assert stream.getvalue() == "untouched\n"
