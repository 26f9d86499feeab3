"""What the programs of a run printed, read from the pieces that are kept among its artifacts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

from mainspring.core.operation import FileClient
from mainspring.tracking.contract import FileEntry

_PIECE = re.compile(r"console/(stdout|stderr)(\S*)-(\d+)(-\d+)?\.txt")
TAIL = 50
"""Lines of a stream that `--logs` shows."""


def pieces(artifacts: Sequence[FileEntry], stream: str) -> list[FileEntry]:
    """The pieces of one stream, in their order: by writer, then by number, then by place."""
    found = []
    for file in artifacts:
        match = _PIECE.fullmatch(file.path)
        if match is not None and match[1] == stream:
            begins = int((match[4] or "-0")[1:])
            found.append(((match[2], int(match[3]), begins), file))
    return [file for _, file in sorted(found, key=lambda pair: pair[0])]


def streams(artifacts: Sequence[FileEntry]) -> list[str]:
    """The streams that something is kept of."""
    return [name for name in ("stdout", "stderr") if pieces(artifacts, name)]


def text_of(client: FileClient, files: Sequence[FileEntry]) -> Iterator[str]:
    """The text, however its letters are cut into pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for file in files:
        for chunk in client.download(file.digest):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def last_lines(client: FileClient, artifacts: Sequence[FileEntry], stream: str) -> list[str]:
    """The last lines of a stream; no more pieces are fetched than hold them."""
    files = pieces(artifacts, stream)
    lines: list[str] = []
    for first in range(len(files) - 1, -1, -1):
        lines = "".join(text_of(client, files[first:])).splitlines()
        # The first line of a piece may be the end of one that began before.
        if len(lines) > TAIL:
            break
    return lines[-TAIL:]
