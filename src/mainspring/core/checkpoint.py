"""Signed checkpoints: where the chain of each workspace had got to, noted in a second place.

The file is of JSON lines and is only ever added to. Each line is signed, and holds the digest of the
line before it: so one that was altered, taken out or put in is found, wherever the file has been.
That its last lines were cut, the home finds, which remembers how many it wrote.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from mainspring.core.blobs import canonical_json
from mainspring.core.chain import GENESIS, Fault, Mark
from mainspring.core.errors import Conflict, Corrupt, Invalid, Unavailable
from mainspring.core.signing import (
    PrivateKey,
    PublicKey,
    make_private_key,
    read_private_key,
    read_public_key,
    sync_folder,
    write_whole,
)

FILE, PUBLIC = "checkpoints.jsonl", "audit.pub"
PRIVATE, MEMORY = "audit.key", "audit.json"
FOLDER_FIX = "make the folder, or name another one: MAINSPRING_AUDIT_FOLDER"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a workspace's chain had this hash at this sequence."""

    type: Literal["mainspring.checkpoint/1"] = "mainspring.checkpoint/1"
    workspace: str
    sequence: int
    hash: str
    recorded_at: str
    key: str
    """The id of the key that signed it."""
    previous: str
    """The SHA-256 of the line before, without its end."""
    signature: str = ""
    """Ed25519 over the line without its signature, in hex characters."""

    def text(self) -> bytes:
        """What is signed."""
        return canonical_json(
            {name: getattr(self, name) for name in self.__struct_fields__ if name != "signature"}
        )

    def line(self) -> bytes:
        """As the file has it, but for its end."""
        return canonical_json(msgspec.structs.asdict(self))


class Memory(msgspec.Struct, frozen=True):
    """What the home remembers of the file that it writes."""

    folder: str
    lines: int
    digest: str
    """Of the last line."""


ILLEGIBLE = Memory("", -1, "")
"""Where there is a memory that nobody can read: not the same as none."""


class Line(NamedTuple):
    """A whole line of the file."""

    number: int
    end: int
    """Where the next one begins."""
    text: bytes
    previous: str


class Known(NamedTuple):
    """What the file held when this process last read it or wrote to it."""

    size: int
    """Of its whole lines."""
    lines: int
    digest: str
    """Of the last line."""
    last: Mapping[str, Checkpoint]
    """Of each workspace."""
    stamp: tuple[int, ...]


class Witnessed(msgspec.Struct, frozen=True):
    """What a file of checkpoints says."""

    points: Sequence[Checkpoint] = ()
    """Those whose signatures hold."""
    fault: Fault | None = None
    """The first line that is not as it was written."""

    @property
    def workspaces(self) -> set[str]:
        """Those that are vouched for."""
        return {point.workspace for point in self.points}

    def marks(self, workspace: str) -> list[Mark]:
        """What is known of a workspace's chain, in its order."""
        here = (point for point in self.points if point.workspace == workspace)
        return sorted(
            (Mark(point.sequence, point.hash) for point in here), key=lambda one: one.sequence
        )


class Checkpoints:
    """The checkpoints of one home, which it signs and remembers."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._file = folder / FILE
        self._lock = threading.Lock()
        self._key: PrivateKey | None = None
        self._known: Known | None = None

    def prepare(self, *, make_folder: bool) -> None:
        """Have a key, and a folder that is ours to write in; for the start of a server."""
        private = self._home / PRIVATE
        self._key = read_private_key(private) or make_private_key(private)
        try:
            if make_folder:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            found = read_public_key(self._folder / PUBLIC)
            if found is None:
                write_whole(self._folder / PUBLIC, self._key.public.pem())
        except OSError as error:
            raise Invalid(
                f"checkpoints cannot be written into {self._folder}: {error.strerror}",
                field="MAINSPRING_AUDIT_FOLDER",
                fix=FOLDER_FIX,
            ) from error
        if found is not None and found.id != self._key.public.id:
            raise Conflict(
                f"the checkpoints in {self._folder} are signed with the key {found.id}, and "
                f"{private} is {self._key.public.id}",
                field="MAINSPRING_AUDIT_FOLDER",
                fix=f"restore {PRIVATE} from a backup, or name a folder of this home's own",
            )

    def noted(self) -> Callable[[], Witnessed]:
        """Reads those that are there now, whenever it is called: a later one tells of later events."""
        known = self._known
        return partial(self.read, None if known is None else known.size)

    def read(self, until: int | None = None) -> Witnessed:
        """All checkpoints, verified with the home's own key."""
        memory = self._memory()
        own = self._key or read_private_key(self._home / PRIVATE)
        trusted = own.public if own else read_public_key(self._folder / PUBLIC)
        return witnessed(self._file, trusted, memory, until)

    def last(self) -> Mapping[str, Checkpoint]:
        """The last checkpoint of each workspace; raises `Corrupt` if the file is not as we wrote it."""
        with self._lock:
            return self._followed().last

    def append(self, marks: Sequence[tuple[str, Mark]], now: dt.datetime) -> None:
        """Sign and write; they have survived power loss when this returns."""
        with self._lock:
            known = self._followed()
            assert self._key is not None
            points, pieces, digest = dict(known.last), [], known.digest
            for workspace, mark in marks:
                point = Checkpoint(
                    workspace=workspace,
                    sequence=mark.sequence,
                    hash=mark.hash,
                    recorded_at=now.isoformat().replace("+00:00", "Z"),
                    key=self._key.public.id,
                    previous=digest,
                )
                point = msgspec.structs.replace(point, signature=self._key.sign(point.text()))
                points[workspace], digest = point, _digest(point.line())
                pieces.append(point.line() + b"\n")
            size = self._written(known.size, b"".join(pieces))
            lines = known.lines + len(pieces)
            self._known = Known(size, lines, digest, points, _stamp(self._file))
            memory = Memory(str(self._folder), lines, digest)
            write_whole(self._home / MEMORY, canonical_json(msgspec.structs.asdict(memory)))

    def _followed(self) -> Known:
        """What the file holds, whoever had it since; its signatures are not looked at."""
        stamp = _stamp(self._file)
        if self._known is not None and self._known.stamp == stamp:
            return self._known
        fault = _forgotten(self._file, self._memory())
        points: dict[str, Checkpoint] = {}
        size, lines, digest = 0, 0, GENESIS
        for line in _lines(self._file):
            point = _decoded(line)
            if point is None or point.previous != line.previous:
                fault = _broken(line)  # this one, or one before it was taken out
                break
            points[point.workspace] = point
            size, lines, digest = line.end, line.number, _digest(line.text)
        if fault is not None:
            raise Corrupt(
                f"no checkpoint is added to {self._file}: {fault.found}",
                fix="find out who wrote there; restore the file, or name another folder: "
                "MAINSPRING_AUDIT_FOLDER",
            )
        self._known = Known(size, lines, digest, points, stamp)
        return self._known

    def _memory(self) -> Memory | None:
        try:
            found = msgspec.json.decode((self._home / MEMORY).read_bytes(), type=Memory)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return ILLEGIBLE
        # Somebody has chosen another folder since: what is there now began there.
        return found if found.folder == str(self._folder) else None

    def _written(self, size: int, content: bytes) -> int:
        """Add to the file, all or nothing; answers its size."""
        new = not self._file.exists()
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                if os.fstat(handle).st_size != size:
                    os.ftruncate(handle, size)  # a line that broke off when power was lost
                if os.write(handle, content) != len(content):
                    os.ftruncate(handle, size)
                    raise Unavailable(f"{self._file} cannot be added to", fix="is there space?")
                os.fsync(handle)
            finally:
                os.close(handle)
            if new:
                sync_folder(self._folder)
        except OSError as error:
            raise Unavailable(
                f"{self._file} cannot be added to: {error.strerror}", fix=FOLDER_FIX
            ) from error
        return size + len(content)


def witnessed(
    file: Path, trusted: PublicKey | None, memory: Memory | None = None, until: int | None = None
) -> Witnessed:
    """What the file says, in which only what was signed with the trusted key counts."""
    points, fault = [], None
    for line in _lines(file):
        point = _decoded(line)
        if point is None:
            fault = fault or _broken(line)
            continue
        wrong = _unsigned(point, trusted)
        if wrong is None and (until is None or line.end <= until):
            points.append(point)
        if wrong is None and point.previous != line.previous:
            wrong = "does not follow the line before it: one was taken out, put in or altered"
        if wrong is not None and fault is None:
            found = f"line {line.number} of the checkpoints {wrong}"
            fault = Fault(wrong="checkpoints", line=line.number, found=found)
    return Witnessed(points, fault or _forgotten(file, memory))


def _unsigned(point: Checkpoint, trusted: PublicKey | None) -> str | None:
    """Why the signature counts for nothing."""
    if trusted is None:
        return f"cannot be verified: the public key {point.key} is not there"
    if point.key != trusted.id:
        return f"is signed with the key {point.key}, wanted {trusted.id}"
    if not trusted.signed(point.text(), point.signature):
        return "was altered: its signature is of something else"
    return None


def _broken(line: Line) -> Fault:
    found = f"line {line.number} of the checkpoints was altered"
    return Fault(wrong="checkpoints", line=line.number, found=found)


def _forgotten(file: Path, memory: Memory | None) -> Fault | None:
    """Whether the file lacks what the home remembers: it may have more, if we died in between."""
    if memory is None:
        return None
    if memory is ILLEGIBLE:
        found = f"what the home remembers of the checkpoints ({MEMORY}) cannot be read"
        return Fault(wrong="checkpoints", line=1, found=found)
    count = 0
    for line in _lines(file):
        count = line.number
        if count == memory.lines:
            if _digest(line.text) == memory.digest:
                return None
            found = f"line {count} of the checkpoints is another than the home remembers"
            return Fault(wrong="checkpoints", line=count, found=found)
    found = f"the file of checkpoints ends at line {count}, and {memory.lines} were written"
    return Fault(wrong="checkpoints", line=count + 1, found=found)


def _decoded(line: Line) -> Checkpoint | None:
    """The checkpoint, if the line is exactly as one is written."""
    try:
        point = msgspec.json.decode(line.text, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return point if point.line() == line.text else None


def _lines(file: Path) -> Iterator[Line]:
    """The whole lines; what follows the last line's end was never acknowledged."""
    previous, end = GENESIS, 0
    try:
        with file.open("rb") as stream:
            for number, text in enumerate(stream, 1):
                if not text.endswith(b"\n"):
                    return
                end += len(text)
                yield Line(number, end, text[:-1], previous)
                previous = _digest(text[:-1])
    except FileNotFoundError:
        return


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes when somebody writes to the file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
