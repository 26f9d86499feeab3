"""Files by their content: written before the transaction that names them, verified when read."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from mainspring.core.clock import UTC
from mainspring.core.errors import Corrupt, Invalid, NotFound

CHUNK = 1 << 20
INCOMING = "incoming-"
"""How the names of files begin whose bytes are still coming."""


class StoredBlob(NamedTuple):
    """Bytes that are here, and since when."""

    digest: str
    size: int
    put_at: dt.datetime
    """When they last came: putting the same bytes again makes them young again."""


class BlobStore(Protocol):
    """Keeps bytes under their SHA-256. Putting the same bytes again changes but their age."""

    def put(self, chunks: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the bytes durably; answers their digest `sha256:...` and size."""
        ...

    def read(self, digest: str) -> Iterator[bytes]:
        """Give the bytes back; raises `Corrupt` before the last if they are not what was stored."""
        ...

    def has(self, digest: str) -> bool:
        """Whether the bytes are here."""
        ...

    def delete(self, digest: str) -> None:
        """Forget the bytes; nothing happens if they are not here."""
        ...

    def find(self, digest: str) -> StoredBlob | None:
        """What is known of the bytes, if they are here."""
        ...

    def listed(self, prefix: str) -> Iterator[StoredBlob]:
        """All bytes whose digest's hex characters begin with these; two are given at least."""
        ...

    def torn(self, before: dt.datetime, *, drop: bool) -> int:
        """The size of what uploads left that broke off before the moment; dropped if told so."""
        ...


def canonical_json(value: object) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces; what digests are taken of."""
    return msgspec.json.encode(value, order="deterministic")


def digest_of(data: bytes) -> str:
    """The name of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def verified(pieces: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """Pass the pieces on; the last one only if all together are what the digest names."""
    hasher, held = hashlib.sha256(), b""
    for piece in pieces:
        if held:
            yield held
        hasher.update(piece)
        held = piece
    if f"sha256:{hasher.hexdigest()}" != digest:
        raise Corrupt(
            f"the stored file {digest} is not what it was", fix="restore it from a backup"
        )
    if held:
        yield held


class LocalBlobs:
    """A folder of files `ab/cdef...`, each written aside, synced, then renamed into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, chunks: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the bytes; refuse them if they are not the expected ones."""
        hasher, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=INCOMING)
        aside = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in chunks:
                    hasher.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            digest = f"sha256:{hasher.hexdigest()}"
            if expected is not None and digest != expected:
                raise Invalid(
                    f"the bytes have the digest {digest}, wanted {expected}", field="digest"
                )
            place = self._path(digest)
            place.parent.mkdir(exist_ok=True)
            aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)
        return digest, size

    def read(self, digest: str) -> Iterator[bytes]:
        """Give the bytes back, verified on the way."""
        path = self._path(digest)
        if not path.exists():
            raise NotFound(f"no file with the digest {digest} is stored here")
        yield from verified(chunks_of(path), digest)

    def has(self, digest: str) -> bool:
        """Whether the file is here."""
        return self._path(digest).exists()

    def delete(self, digest: str) -> None:
        """Remove the file."""
        self._path(digest).unlink(missing_ok=True)

    def find(self, digest: str) -> StoredBlob | None:
        """What the file system knows of the file."""
        return _stored(digest, self._path(digest))

    def listed(self, prefix: str) -> Iterator[StoredBlob]:
        """The files of one folder; one that goes meanwhile is left out."""
        folder, begin = prefix[:2], prefix[2:]
        for path in sorted((self._folder / folder).glob(f"{begin}*")):
            found = _stored(f"sha256:{folder}{path.name}", path)
            if found is not None:
                yield found

    def torn(self, before: dt.datetime, *, drop: bool) -> int:
        """The size of the files aside that nobody has written to since the moment."""
        size = 0
        for path in self._folder.glob(f"{INCOMING}*"):
            found = _stored("", path)
            if found is not None and found.put_at <= before:
                size += found.size
                if drop:
                    path.unlink(missing_ok=True)
        return size

    def _path(self, digest: str) -> Path:
        kind, _, value = digest.partition(":")
        if kind != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
            raise Invalid(
                f"{digest!r} is no digest; wanted sha256: and 64 hex characters", field="digest"
            )
        return self._folder / value[:2] / value[2:]


def _stored(digest: str, path: Path) -> StoredBlob | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return StoredBlob(digest, found.st_size, dt.datetime.fromtimestamp(found.st_mtime, UTC))
