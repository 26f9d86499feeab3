"""The file format of the prediction log: frames that a torn end cannot spoil.

A file is a row of frames, one for each request: the magic, the length and the CRC-32 of the
payload, then the payload in MessagePack. Files are `<writer>-<sequence>.open` while one process
writes them (and holds their lock), and `.journal` from then on.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import msgspec

from mainspring.core.signature import Datatype
from mainspring.engines.tensor import DTYPES, Tensors

MAGIC = b"MSJ1"
HEADER = struct.Struct("<4sII")
OPEN, SEALED = ".open", ".journal"

Packed = tuple[Datatype, bytes | list[str | None]]
"""One column: its datatype, and little-endian numbers or a list of texts."""


class Frame(msgspec.Struct, kw_only=True):
    """What one request asked and was answered."""

    request_ids: list[str]
    event_times: list[int]
    recorded_at: int
    model: str
    version: str
    rows: int
    inputs: dict[str, Packed]
    outputs: dict[str, Packed]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def pack(datatypes: dict[str, Datatype], tensors: Tensors) -> dict[str, Packed]:
    """The columns as a frame holds them."""
    return {
        name: (
            datatype,
            tensors[name].tolist()
            if datatype == "BYTES"
            else tensors[name].astype(DTYPES[datatype], copy=False).tobytes(),
        )
        for name, datatype in datatypes.items()
    }


def encode_frame(frame: Frame) -> bytes:
    """The frame as it stands in a file."""
    payload = _encode(frame)
    return HEADER.pack(MAGIC, len(payload), crc32(payload)) + payload


def read_frames(path: Path) -> Iterator[Frame]:
    """The valid frames of a file, up to the first torn one."""
    with path.open("rb") as file:
        while (payload := _next_payload(file)) is not None:
            yield _decode(payload)


def valid_length(path: Path) -> int:
    """How many bytes at the start of the file are whole frames."""
    length = 0
    with path.open("rb") as file:
        while (payload := _next_payload(file)) is not None:
            length += HEADER.size + len(payload)
    return length


def _next_payload(file: BinaryIO) -> bytes | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, length, checksum = HEADER.unpack(header)
    # A damaged length must not make us ask for gigabytes.
    if magic != MAGIC or length > os.fstat(file.fileno()).st_size - file.tell():
        return None
    payload = file.read(length)
    return payload if len(payload) == length and crc32(payload) == checksum else None


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
