"""What programs print, gathered into pieces that are kept as artifacts of the run."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.recording.records import Printed, Stream
from mainspring.recording.spool import Place, SpoolFolder
from mainspring.tracking.contract import FileEntry

PIECE = 64 * 2**10
PIECE_S = 30.0
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


@dataclass(slots=True)
class _Piece:
    """The end of one process's stream that is not kept yet."""

    before: Place
    """Where its file stood when the piece began: from there it would be gathered again."""
    begins: int
    """The bytes of the stream before it."""
    since: float
    parts: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))


class PrintedText:
    """The pieces of one run. A piece's path says where in its stream it begins: gathered again after a
    crash, it lies in the same place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pieces: dict[tuple[Path, Stream], _Piece] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, segment: Path, before: Place, record: Printed) -> Place:
        """Gather what was printed; answers the place before it with the text counted."""
        key = (segment, record.stream)
        begins = getattr(before, record.stream)
        if key not in self._pieces:
            self._pieces[key] = _Piece(before, begins, time.monotonic())
        self._pieces[key].parts.append(record.text)
        return before._replace(**{record.stream: begins + len(record.text)})

    def is_due(self) -> bool:
        """Whether some piece is large or old enough to be kept."""
        now = time.monotonic()
        return any(
            piece.size >= PIECE or now - piece.since >= PIECE_S for piece in self._pieces.values()
        )

    def seal(self, folder: SpoolFolder) -> list[FileEntry]:
        """Put the pieces among the files that wait."""
        made = []
        for (segment, stream), piece in self._pieces.items():
            text = b"".join(piece.parts)
            digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
            folder.file(digest).write_bytes(text)
            writer, _, number = segment.stem.partition("-")
            process = "" if writer.startswith("0") else f"-{writer}"
            path = f"console/{stream}{process}-{number}-{piece.begins:09}.txt"
            made.append(FileEntry(path=path, digest=digest, size=len(text)))
        self._pieces.clear()
        return made

    def safe(self, segment: Path, reached: Place) -> Place:
        """The place up to which nothing printed would be lost with this process."""
        for stream in STREAMS:
            piece = self._pieces.get((segment, stream))
            if piece is not None and piece.before.offset < reached.offset:
                reached = piece.before
        return reached
