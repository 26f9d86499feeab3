"""Signed checkpoints: when they are written, what they vouch for, and what is done to their file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.administration import contract
from mainspring.administration.contract import Chain, Nothing
from mainspring.app import App
from mainspring.core.chain import Mark
from mainspring.core.checkpoint import FILE, MEMORY, PRIVATE, PUBLIC, Checkpoints
from mainspring.core.clock import utc_now
from mainspring.core.errors import Corrupt
from mainspring.core.signing import make_private_key, read_private_key
from mainspring.notary import EVENTS, Notary
from tests import story
from tests.administration.tampering import cut, statement, tamper, write_anew
from tests.house import Clients

Lines = list[bytes]


@pytest.fixture
def transport() -> str:
    """What happens to the file does not depend on the way in."""
    return "in process"


class Watch:
    """The time that has passed, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    """A watch that the test puts forward."""
    return Watch()


@pytest.fixture
def notary(app: App, watch: Watch) -> Notary:
    """The notary of the home."""
    return Notary(app, elapsed=watch)


def file_of(app: App) -> Path:
    return app.settings.audit_folder / FILE


def lines_of(app: App) -> Lines:
    return file_of(app).read_bytes().splitlines()


def points_of(app: App) -> list[tuple[str, int]]:
    """The workspaces and sequences that were signed."""
    decoded = [json.loads(line) for line in lines_of(app)]
    return [(one["workspace"], one["sequence"]) for one in decoded]


def verified(clients: Clients) -> Chain:
    return clients.viewer.call(contract.verify_events, Nothing())


def end_of(clients: Clients) -> int:
    return verified(clients).events


class TestTime:
    """When a checkpoint is due."""

    def test_the_first_look_signs(self, notary: Notary, app: App, clients: Clients) -> None:
        assert notary.look() == 1
        assert points_of(app) == [("default", end_of(clients))]

    def test_nothing_is_signed_twice(self, notary: Notary, app: App, watch: Watch) -> None:
        notary.look()
        watch.seconds += 10_000

        assert notary.look(all_of_them=True) == 0
        assert len(lines_of(app)) == 1

    def test_what_was_logged_is_signed_when_the_time_is_over(
        self, notary: Notary, clients: Clients, watch: Watch
    ) -> None:
        notary.look()
        story.version(clients.developer)
        watch.seconds += 599

        assert notary.look() == 0
        watch.seconds += 1
        assert notary.look() == 1

    def test_many_events_are_signed_before(
        self, monkeypatch: pytest.MonkeyPatch, app: App, clients: Clients, watch: Watch
    ) -> None:
        monkeypatch.setenv("MAINSPRING_CHECKPOINT_EVENTS", "3")
        notary = Notary(app, elapsed=watch)
        notary.look()
        story.open_run(clients.developer)

        assert notary.look() == 0
        story.version(clients.developer)
        assert notary.look() == 1
        assert EVENTS == 1000

    def test_each_workspace_has_its_own(
        self, notary: Notary, app: App, clients: Clients, tokens: dict[str, str]
    ) -> None:
        elsewhere = story.elsewhere(app, tokens)
        story.version(elsewhere)
        notary.look()

        chain = elsewhere.call(contract.verify_events, Nothing())

        assert points_of(app) == [
            ("default", end_of(clients)),
            (story.ELSEWHERE, chain.events),
        ]
        assert (chain.checkpoints, chain.faults) == (1, [])

    def test_another_process_goes_on_where_one_ended(self, app: App, clients: Clients) -> None:
        Notary(app).look()
        story.version(clients.developer)
        again = App(app.settings)
        Notary(again).look()

        found = again.checkpoints.read()
        again.close()
        assert (len(found.points), found.fault) == (2, None)

    def test_one_that_comes_while_the_log_is_verified_is_left_out(
        self, notary: Notary, app: App, clients: Clients
    ) -> None:
        """It vouches for events that whoever began to read before does not see."""
        notary.look()
        noted = app.checkpoints.noted()
        story.version(clients.developer)
        notary.look(all_of_them=True)

        assert len(noted().points) == 1
        assert len(app.checkpoints.noted()().points) == 2


class TestAlteredLog:
    """What contradicts an earlier signature is not signed."""

    @pytest.fixture
    def log(self, notary: Notary, clients: Clients) -> int:
        """A log that is signed up to its end, which it gives."""
        story.version(clients.developer)
        notary.look()
        return end_of(clients)

    @pytest.mark.parametrize("grown", [0, 1])
    def test_a_cut_log_is_not_signed(
        self, log: int, notary: Notary, app: App, clients: Clients, grown: int
    ) -> None:
        tamper(app, lambda connection: cut(connection, log - 2))
        for _ in range(grown):
            story.version(clients.developer)

        with pytest.raises(Corrupt, match=f"event {log} is not the one that was signed"):
            notary.look(all_of_them=True)
        assert points_of(app) == [("default", log)]

    def test_a_log_written_anew_is_not_signed(
        self, log: int, notary: Notary, app: App, clients: Clients
    ) -> None:
        tamper(app, lambda connection: write_anew(connection, 2, actor="mallory"))
        story.version(clients.developer)

        with pytest.raises(Corrupt, match=f"event {log} is not the one that was signed"):
            notary.look(all_of_them=True)

    def test_what_was_altered_since_is_not_signed(
        self, log: int, notary: Notary, app: App, clients: Clients
    ) -> None:
        story.version(clients.developer)
        edit = f"update event set actor = 'mallory' where sequence = {log + 2}"
        tamper(app, statement(edit))

        with pytest.raises(Corrupt, match=f"event {log + 2} "):
            notary.look(all_of_them=True)
        assert points_of(app) == [("default", log)]

    @pytest.mark.usefixtures("log")
    def test_a_file_that_was_altered_meanwhile_is_not_added_to(
        self, notary: Notary, app: App, clients: Clients
    ) -> None:
        file_of(app).write_bytes(b"")
        story.version(clients.developer)

        with pytest.raises(Corrupt, match="ends at line 0, and 1 were written"):
            notary.look(all_of_them=True)
        assert lines_of(app) == []

    def test_the_other_workspaces_are_signed(
        self, log: int, notary: Notary, app: App, tokens: dict[str, str]
    ) -> None:
        story.version(story.elsewhere(app, tokens))
        tamper(app, lambda connection: cut(connection, log - 2))

        with pytest.raises(Corrupt, match="'default'"):
            notary.look(all_of_them=True)
        assert [name for name, _ in points_of(app)] == ["default", story.ELSEWHERE]


def sign(app: App, *sequences: int) -> None:
    """Checkpoints of a made-up workspace, in which nothing is looked up."""
    points = Checkpoints(app.settings.home, app.settings.audit_folder)
    points.prepare(make_folder=True)
    for sequence in sequences:
        points.append([("default", Mark(sequence, f"{sequence:064x}"))], utc_now())


def edited(lines: Lines) -> Lines:
    return [lines[0], lines[1].replace(b'"sequence":2', b'"sequence":1'), *lines[2:]]


def spaced(lines: Lines) -> Lines:
    return [lines[0], lines[1].replace(b",", b", "), *lines[2:]]


ALTERED: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "edited": (edited, 2),
    "spaced": (spaced, 2),
    "no JSON": (lambda lines: [lines[0], b"{", *lines[2:]], 2),
    "first taken out": (lambda lines: lines[1:], 1),
    "taken out": (lambda lines: [lines[0], *lines[2:]], 2),
    "swapped": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
    "twice": (lambda lines: [lines[0], lines[0], *lines[1:]], 2),
    "last taken out": (lambda lines: lines[:-1], 4),
    "all taken out": (lambda lines: lines[:0], 1),
}
"""What is done to four lines, and the line that is named for it."""


class TestAlteredFile:
    """The file of checkpoints."""

    @pytest.fixture
    def database_kind(self) -> str:
        """The file does not depend on the database."""
        return "SQLite"

    @pytest.fixture
    def four(self, app: App) -> Lines:
        """Four lines."""
        sign(app, 1, 2, 3, 4)
        assert app.checkpoints.read().fault is None
        return lines_of(app)

    @pytest.mark.parametrize(("alter", "line"), ALTERED.values(), ids=list(ALTERED))
    def test_it_is_found_and_nothing_is_added(
        self, four: Lines, app: App, alter: Callable[[Lines], Lines], line: int
    ) -> None:
        file_of(app).write_bytes(b"".join(one + b"\n" for one in alter(four)))

        fault = app.checkpoints.read().fault

        assert fault is not None
        assert (fault.wrong, fault.line) == ("checkpoints", line)
        left = file_of(app).read_bytes()
        with pytest.raises(Corrupt, match="no checkpoint is added"):
            sign(app, 5)
        assert file_of(app).read_bytes() == left

    @pytest.mark.usefixtures("four")
    def test_a_file_that_is_gone_is_found(self, app: App, clients: Clients) -> None:
        file_of(app).unlink()

        (fault,) = verified(clients).faults

        assert (fault.wrong, fault.line, fault.sequence) == ("checkpoints", 1, None)

    @pytest.mark.usefixtures("four")
    def test_an_end_that_was_cut_from_the_last_line_is_found(self, app: App) -> None:
        file_of(app).write_bytes(file_of(app).read_bytes()[:-1])

        fault = app.checkpoints.read().fault

        assert fault is not None
        assert fault.line == 4

    def test_a_last_line_that_was_altered_with_its_signature_is_found(
        self, four: Lines, app: App, tmp_path: Path
    ) -> None:
        """By who has the key, and not the home's memory."""
        shutil.copytree(app.settings.home, tmp_path / "copy")
        key = read_private_key(app.settings.home / PRIVATE)
        assert key is not None
        forged = json.loads(four[-1]) | {"hash": "f" * 64}
        del forged["signature"]
        text = json.dumps(forged, sort_keys=True, separators=(",", ":"))
        forged["signature"] = key.sign(text.encode())
        four[-1] = json.dumps(forged, sort_keys=True, separators=(",", ":")).encode()
        file_of(app).write_bytes(b"\n".join(four) + b"\n")

        fault = app.checkpoints.read().fault

        assert fault is not None
        assert (fault.line, "another than the home remembers" in fault.found) == (4, True)

    @pytest.mark.usefixtures("four")
    @pytest.mark.parametrize("memory", [b"", b"{}", b"\x00", b'{"folder":1,"lines":0,"digest":""}'])
    def test_a_memory_that_cannot_be_read_is_no_reason_to_believe(
        self, app: App, memory: bytes
    ) -> None:
        (app.settings.home / MEMORY).write_bytes(memory)
        file_of(app).write_bytes(b"\n".join(file_of(app).read_bytes().split(b"\n")[:2]) + b"\n")

        fault = app.checkpoints.read().fault

        assert fault is not None
        assert "cannot be read" in fault.found

    @pytest.mark.usefixtures("four")
    def test_a_signature_of_another_key_counts_for_nothing(self, app: App, tmp_path: Path) -> None:
        other = App(replace(app.settings, home=tmp_path / "other"))
        sign(other, 1, 2, 9)
        other.close()
        file_of(app).write_bytes(file_of(other).read_bytes())
        shutil.copy(other.settings.audit_folder / PUBLIC, app.settings.audit_folder / PUBLIC)

        found = app.checkpoints.read()

        assert found.fault is not None
        assert (found.fault.line, "is signed with the key" in found.fault.found) == (1, True)
        assert found.points == []

    def test_a_forged_line_at_the_end_is_found(self, four: Lines, app: App, tmp_path: Path) -> None:
        (tmp_path / "mallory").mkdir()
        forger = make_private_key(tmp_path / "mallory" / PRIVATE)
        forged = json.loads(four[-1]) | {"sequence": 9}
        forged["signature"] = forger.sign(four[-1])
        line = json.dumps(forged, sort_keys=True, separators=(",", ":")).encode()
        with file_of(app).open("ab") as file:
            file.write(line + b"\n")

        found = app.checkpoints.read()

        assert found.fault is not None
        assert (found.fault.line, "its signature is of something else" in found.fault.found) == (
            5, True,
        )  # fmt: skip
        assert [point.sequence for point in found.points] == [1, 2, 3, 4]

    def test_a_line_that_broke_off_is_none_and_is_written_over(self, four: Lines, app: App) -> None:
        with file_of(app).open("ab") as file:
            file.write(four[-1][:100])
        assert app.checkpoints.read().fault is None

        sign(app, 5)

        assert [sequence for _, sequence in points_of(app)] == [1, 2, 3, 4, 5]
        assert app.checkpoints.read().fault is None

    @pytest.mark.usefixtures("four")
    def test_a_home_that_forgot_the_last_line_goes_on(self, app: App) -> None:
        """It died between the line and its own memory of it."""
        remembered = (app.settings.home / MEMORY).read_bytes()
        sign(app, 5)
        (app.settings.home / MEMORY).write_bytes(remembered)

        sign(app, 6)

        assert app.checkpoints.read().fault is None
        assert len(app.checkpoints.read().points) == 6
