"""Our own blob store passes the public exam, and keeps its folder clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.core.blobs import LocalBlobs, canonical_json, digest_of, verified
from mainspring.core.errors import Corrupt
from mainspring.testing.blobs import BlobStoreContract


class TestLocalBlobs(BlobStoreContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LocalBlobs:
        return LocalBlobs(tmp_path / "blobs")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str], None]:
        def flip(digest: str) -> None:
            value = digest.partition(":")[2]
            path = tmp_path / "blobs" / value[:2] / value[2:]
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)

        return flip

    def test_a_torn_upload_leaves_no_file_behind(self, blobs: LocalBlobs, tmp_path: Path) -> None:
        def torn() -> Iterator[bytes]:
            yield b"half"
            raise ConnectionResetError("the sender is gone")

        with pytest.raises(ConnectionResetError):
            blobs.put(torn())

        assert list((tmp_path / "blobs").rglob("*")) == []


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [1.0, None]}) == canonical_json({"a": [1.0, None], "b": 1})


def test_the_last_piece_is_held_back_until_all_is_verified() -> None:
    pieces = verified([b"one", b"two"], digest_of(b"something else"))

    assert next(pieces) == b"one"
    with pytest.raises(Corrupt):
        next(pieces)
