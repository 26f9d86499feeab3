"""The file format of the prediction log: frames that a torn end cannot spoil.

A file is a row of frames, one for each call of the engine: the magic, the length of the payload, the
CRC-32 of marker and payload, the marker of the writer, then the payload in MessagePack. Files are
`<writer>-<sequence>.open` while one process writes them (and holds their lock), and `.journal` from
then on.

The marker is random and told to nobody, so that a caller cannot send bytes that would pass for a
frame where a damaged file is searched for the next one.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from mainspring.core.signature import Datatype
from mainspring.engines.tensor import DATATYPES, Array, datatype_of
from mainspring.serving.log_files import OPEN, SEALED
from mainspring.serving.reserved import ids_of_rows

MAGIC, FIRST_MAGIC = b"MSJ2", b"MSJ1"
HEADER, FIRST_HEADER = struct.Struct("<4sII8s"), struct.Struct("<4sII")
NO_MARKER = bytes(8)

if TYPE_CHECKING:
    Data = Any
else:
    # Numbers are read as a view of the file's bytes, and written from any buffer.
    Data = memoryview | list[Any]

Packed = tuple[Datatype, tuple[int, ...], Data]
"""A column: its datatype, the shape of a row, and little-endian numbers or a list of texts."""


class Frame(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the requests of one call asked and were answered; times are microseconds UTC."""

    model: str
    version: str
    recorded_at: int
    ids: list[str]
    """The id of each request."""
    counts: list[int]
    """The rows of each request."""
    times: list[int]
    """When each request came, which is the event time of rows that brought none."""
    latencies: list[int]
    """Microseconds from each request's coming to its outputs."""
    inputs: dict[str, Packed]
    outputs: dict[str, Packed]
    row_ids: dict[int, list[str]] = {}
    """By place of the request: the ids of its rows, if it named them."""
    row_times: dict[int, list[int]] = {}
    row_entities: dict[int, list[str]] = {}
    entities: list[str | None] | None = None
    """The entity key of each row, if an input holds it."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.counts)

    @property
    def request_ids(self) -> list[str]:
        """The id of each row."""
        named = self.row_ids
        if not named and len(self.counts) == self.rows:
            return self.ids
        return list(
            chain.from_iterable(
                named[place] if place in named else ids_of_rows(id_, count)
                for place, (id_, count) in enumerate(zip(self.ids, self.counts, strict=True))
            )
        )

    @property
    def event_times(self) -> list[int]:
        """The event time of each row."""
        return self._by_row(self.row_times, self.times)

    @property
    def entity_keys(self) -> list[str | None]:
        """The entity key of each row, None where there is none; the caller's own goes first."""
        if self.entities is not None and not self.row_entities:
            return list(self.entities)
        found = self._by_row(self.row_entities, [None] * len(self.ids))
        if self.entities is None:
            return found
        return [own or given for own, given in zip(found, self.entities, strict=True)]

    def _by_row(self, named: dict[int, Any], values: list[Any]) -> list[Any]:
        if not named and len(self.counts) == self.rows:
            return values
        return list(
            chain.from_iterable(
                named[place] if place in named else [value] * count
                for place, (value, count) in enumerate(zip(values, self.counts, strict=True))
            )
        )


class _FirstFrame(msgspec.Struct, kw_only=True):
    """A frame as it was before calls had several requests."""

    request_ids: list[str]
    event_times: list[int]
    recorded_at: int
    model: str
    version: str
    rows: int
    inputs: dict[str, tuple[Datatype, Data]]
    outputs: dict[str, tuple[Datatype, Data]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode
_decode_first = msgspec.msgpack.Decoder(_FirstFrame).decode


def pack(values: Array, *, whole: bool = False) -> Packed:
    """A column as a frame holds it; with `whole` the array is what one row holds."""
    shape = values.shape if whole else values.shape[1:]
    datatype = DATATYPES.get(values.dtype)
    if datatype is None:
        datatype = datatype_of(values)
        if datatype != "BYTES":
            values = values.astype(values.dtype.newbyteorder("<"))
    if datatype == "BYTES":
        return datatype, shape, values.ravel().tolist()
    return datatype, shape, values.tobytes()


def encode_frame(frame: Frame, marker: bytes = NO_MARKER) -> bytes:
    """The frame as it stands in a file."""
    payload = _encode(frame)
    return HEADER.pack(MAGIC, len(payload), crc32(payload, crc32(marker)), marker) + payload


@dataclass(slots=True)
class Scan:
    """What a file holds: where its whole frames are, and whether anything else is between them."""

    data: bytes | memoryview
    spans: list[tuple[bytes, int, int]]
    """The magic of each whole frame, and the start and the end of its payload."""
    is_damaged: bool

    @property
    def end(self) -> int:
        """The length of the file up to its last whole frame."""
        return self.spans[-1][2] if self.spans else 0

    def frames(self) -> Iterator[Frame]:
        """Each whole frame, in the order in which they were written; its numbers are views of the data."""
        view = memoryview(self.data)
        for magic, start, end in self.spans:
            payload = view[start:end]
            yield _decode(payload) if magic == MAGIC else _from_first(_decode_first(payload))


class Reader:
    """Looks through files one after the other, in the same memory: frames of the last one are gone."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray())

    def scan(self, path: Path) -> Scan:
        """As the function of that name."""
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > len(self._memory):
                self._memory = memoryview(bytearray(size))
            read = 0
            while count := file.readinto(self._memory[read:size]):
                read += count
        return _scan(self._memory[:read])


def scan(path: Path) -> Scan:
    """Look through a file; what is no frame is stepped over.

    A last frame that was not written to its end is not called damage: nobody was answered for it.
    """
    return _scan(path.read_bytes())


def _scan(data: bytes | memoryview) -> Scan:
    found = Scan(data, [], is_damaged=False)
    position, known = 0, b""
    while position < len(data):
        span = _frame_at(data, position, known)
        if span is not None:
            found.is_damaged |= position > found.end
            found.spans.append(span)
            known = known or _kind_at(data, position)
            position = span[2]
        else:
            data = bytes(data)
            position = _next_magic(data, position + 1)
    found.is_damaged |= not _is_torn(data, found.end)
    return found


def read_frames(path: Path) -> Iterator[Frame]:
    """The whole frames of a file."""
    return scan(path).frames()


def _kind_at(data: bytes | memoryview, position: int) -> bytes:
    """What the headers of one file have in common: the magic and the marker."""
    magic = bytes(data[position : position + 4])
    marker = bytes(data[position + FIRST_HEADER.size : position + HEADER.size])
    return magic + marker if magic == MAGIC else magic


def _frame_at(
    data: bytes | memoryview, position: int, known: bytes
) -> tuple[bytes, int, int] | None:
    magic = bytes(data[position : position + 4])
    header = HEADER if magic == MAGIC else FIRST_HEADER
    start = position + header.size
    if magic not in (MAGIC, FIRST_MAGIC) or start > len(data):
        return None
    if known and _kind_at(data, position) != known:
        return None
    length, checksum = FIRST_HEADER.unpack_from(data, position)[1:]
    end = start + length
    # The checksum is of the marker too, where there is one.
    seed = crc32(data[position + FIRST_HEADER.size : start]) if magic == MAGIC else 0
    if end > len(data) or crc32(memoryview(data)[start:end], seed) != checksum:
        return None
    return magic, start, end


def _next_magic(data: bytes, position: int) -> int:
    found = [data.find(magic, position) for magic in (MAGIC, FIRST_MAGIC)]
    return min((place for place in found if place >= 0), default=len(data))


def _is_torn(data: bytes | memoryview, position: int) -> bool:
    """Whether what is left from there is the beginning of a frame, or nothing."""
    left = len(data) - position
    if left < HEADER.size:
        return data[position : position + 4] in (MAGIC[:left], FIRST_MAGIC[:left])
    magic, length = FIRST_HEADER.unpack_from(data, position)[:2]
    header = HEADER if magic == MAGIC else FIRST_HEADER
    return magic in (MAGIC, FIRST_MAGIC) and header.size + length > left


def _from_first(frame: _FirstFrame) -> Frame:
    return Frame(
        model=frame.model,
        version=frame.version,
        recorded_at=frame.recorded_at,
        ids=frame.request_ids,
        counts=[1] * frame.rows,
        times=frame.event_times,
        latencies=[0] * frame.rows,
        inputs={name: (datatype, (), data) for name, (datatype, data) in frame.inputs.items()},
        outputs={name: (datatype, (), data) for name, (datatype, data) in frame.outputs.items()},
    )


def recover(folder: Path) -> list[Path]:
    """Seal what dead writers left open, cut after the last whole frame; empty files go."""
    found = (_recover_one(path) for path in sorted(folder.glob(f"*{OPEN}")))
    return [sealed for sealed in found if sealed is not None]


def _recover_one(path: Path) -> Path | None:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        # The kernel drops the lock of a dead process: a held lock means a living writer.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = scan(path)
        if not found.spans and not found.is_damaged:
            path.unlink()
            return None
        if not found.is_damaged:
            os.ftruncate(file, found.end)
        return path.rename(path.with_suffix(SEALED))
    except (BlockingIOError, FileNotFoundError):
        return None
    finally:
        os.close(file)
