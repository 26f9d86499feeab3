"""The file format of the prediction log: frames that a torn end cannot spoil.

A file is a row of frames, one for each call of the engine: the magic, the length and the CRC-32 of
the payload, then the payload in MessagePack. Files are `<writer>-<sequence>.open` while one process
writes them (and holds their lock), and `.journal` from then on.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import msgspec

from mainspring.core.signature import Datatype
from mainspring.engines.tensor import Array, datatype_of
from mainspring.serving.inference import ids_of_rows

MAGIC, FIRST_MAGIC = b"MSJ2", b"MSJ1"
HEADER = struct.Struct("<4sII")
OPEN, SEALED = ".open", ".journal"

Packed = tuple[Datatype, tuple[int, ...], Any]
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
    entities: list[str] | None = None
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
    def row_latencies(self) -> list[int]:
        """The latency of each row's request."""
        return self._by_row({}, self.latencies)

    @property
    def entity_keys(self) -> list[str | None]:
        """The entity key of each row, None where there is none."""
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
    inputs: dict[str, tuple[Datatype, Any]]
    outputs: dict[str, tuple[Datatype, Any]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode
_decode_first = msgspec.msgpack.Decoder(_FirstFrame).decode


def pack(values: Array, *, whole: bool = False) -> Packed:
    """A column as a frame holds it; with `whole` the array is what one row holds."""
    datatype = datatype_of(values)
    shape = values.shape if whole else values.shape[1:]
    if datatype == "BYTES":
        return datatype, shape, values.ravel().tolist()
    return datatype, shape, values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def encode_frame(frame: Frame) -> bytes:
    """The frame as it stands in a file."""
    payload = _encode(frame)
    return HEADER.pack(MAGIC, len(payload), crc32(payload)) + payload


def read_frames(path: Path) -> Iterator[Frame]:
    """The valid frames of a file, up to the first torn one."""
    with path.open("rb") as file:
        while (found := _next_payload(file)) is not None:
            magic, payload = found
            yield _decode(payload) if magic == MAGIC else _from_first(_decode_first(payload))


def valid_length(path: Path) -> int:
    """How many bytes at the start of the file are whole frames."""
    length = 0
    with path.open("rb") as file:
        while (found := _next_payload(file)) is not None:
            length += HEADER.size + len(found[1])
    return length


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


def _next_payload(file: BinaryIO) -> tuple[bytes, bytes] | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, length, checksum = HEADER.unpack(header)
    # A damaged length must not make us ask for gigabytes.
    left = os.fstat(file.fileno()).st_size - file.tell()
    if magic not in (MAGIC, FIRST_MAGIC) or length > left:
        return None
    payload = file.read(length)
    return (magic, payload) if len(payload) == length and crc32(payload) == checksum else None


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
        length = valid_length(path)
        if length == 0:
            path.unlink()
            return None
        os.ftruncate(file, length)
        return path.rename(path.with_suffix(SEALED))
    except (BlockingIOError, FileNotFoundError):
        return None
    finally:
        os.close(file)
