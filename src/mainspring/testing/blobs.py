"""The exam of every blob store: subclass it, give the two fixtures, run pytest.

class TestMyBlobs(BlobStoreContract):
    @pytest.fixture
    def blobs(self, tmp_path): ...      # an empty store
    @pytest.fixture
    def damage(self, tmp_path): ...     # a function that changes a stored byte, given the digest
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mainspring.core.blobs import BlobStore, digest_of
from mainspring.core.clock import utc_now
from mainspring.core.errors import Corrupt, Invalid, NotFound

SMALL = b"a few bytes"
LARGE = bytes(range(256)) * 12_000
"""About three megabytes: more than any store should hold in memory at once."""
CLOCKS_DIFFER = dt.timedelta(milliseconds=20)
"""A store's clock may be this coarse."""


def _pieces(data: bytes) -> list[bytes]:
    return [data[start : start + 70_000] for start in range(0, len(data), 70_000)]


def _wait_past(moment: dt.datetime) -> None:
    while utc_now() <= moment:
        pass


class BlobStoreContract:
    """What any blob store must do; `mainspring.core.blobs.BlobStore` says how it is called."""

    @pytest.fixture
    def blobs(self) -> BlobStore:
        raise NotImplementedError("give an empty store")

    @pytest.fixture
    def damage(self) -> Callable[[str], None]:
        raise NotImplementedError("give a function that changes a stored byte")

    @pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
    def test_what_was_put_is_read(self, blobs: BlobStore, data: bytes) -> None:
        digest, size = blobs.put(_pieces(data))

        assert b"".join(blobs.read(digest)) == data
        assert (digest, size) == (digest_of(data), len(data))

    def test_what_was_not_put_is_not_found(self, blobs: BlobStore) -> None:
        with pytest.raises(NotFound):
            list(blobs.read(digest_of(SMALL)))

    def test_it_knows_what_it_has(self, blobs: BlobStore) -> None:
        digest, _ = blobs.put([SMALL])

        assert blobs.has(digest)
        assert not blobs.has(digest_of(LARGE))

    def test_putting_again_changes_nothing(self, blobs: BlobStore) -> None:
        blobs.put([SMALL])

        digest, _ = blobs.put(iter([SMALL]))

        assert b"".join(blobs.read(digest)) == SMALL

    def test_bytes_that_were_not_expected_are_refused(self, blobs: BlobStore) -> None:
        with pytest.raises(Invalid) as caught:
            blobs.put([SMALL], expected=digest_of(LARGE))

        assert caught.value.field == "digest"
        assert not blobs.has(digest_of(SMALL))
        assert not blobs.has(digest_of(LARGE))

    def test_a_torn_upload_leaves_nothing(self, blobs: BlobStore) -> None:
        def torn() -> Iterator[bytes]:
            yield SMALL
            raise ConnectionResetError("the sender is gone")

        with pytest.raises(ConnectionResetError):
            blobs.put(torn())

        assert not blobs.has(digest_of(SMALL))

    def test_a_torn_upload_can_be_done_again(self, blobs: BlobStore) -> None:
        def torn() -> Iterator[bytes]:
            yield SMALL[:3]
            raise ConnectionResetError("the sender is gone")

        with pytest.raises(ConnectionResetError):
            blobs.put(torn(), digest_of(SMALL))
        digest, _ = blobs.put([SMALL], digest_of(SMALL))

        assert b"".join(blobs.read(digest)) == SMALL

    @pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
    def test_changed_bytes_are_not_given_out_as_whole(
        self, blobs: BlobStore, damage: Callable[[str], None], data: bytes
    ) -> None:
        digest, size = blobs.put([data])
        damage(digest)
        given: list[bytes] = []

        with pytest.raises(Corrupt):
            given.extend(blobs.read(digest))

        assert sum(map(len, given)) < size

    def test_what_was_deleted_is_gone(self, blobs: BlobStore) -> None:
        digest, _ = blobs.put([SMALL])

        blobs.delete(digest)

        assert not blobs.has(digest)

    def test_deleting_what_is_not_there_does_nothing(self, blobs: BlobStore) -> None:
        blobs.delete(digest_of(SMALL))

        assert not blobs.has(digest_of(SMALL))

    def test_it_tells_what_it_has_and_since_when(self, blobs: BlobStore) -> None:
        before = utc_now() - CLOCKS_DIFFER
        digest, size = blobs.put([SMALL])

        found = blobs.find(digest)

        assert found is not None
        assert (found.digest, found.size) == (digest, size)
        assert before <= found.put_at <= utc_now() + CLOCKS_DIFFER
        assert blobs.find(digest_of(LARGE)) is None

    def test_putting_again_makes_bytes_young_again(self, blobs: BlobStore) -> None:
        digest, _ = blobs.put([SMALL])
        first = blobs.find(digest)
        assert first is not None
        _wait_past(first.put_at + CLOCKS_DIFFER)

        blobs.put([SMALL])

        again = blobs.find(digest)
        assert again is not None
        assert again.put_at > first.put_at

    def test_it_lists_what_it_has_by_how_the_digests_begin(self, blobs: BlobStore) -> None:
        digests = {blobs.put([bytes([number])])[0] for number in range(40)}

        listed = [one.digest for number in range(256) for one in blobs.listed(f"{number:02x}")]

        assert sorted(digests) == listed
        first = sorted(digests)[0].partition(":")[2]
        assert [one.digest for one in blobs.listed(first[:20])] == [f"sha256:{first}"]

    def test_what_is_whole_is_not_torn(self, blobs: BlobStore) -> None:
        digest, _ = blobs.put([SMALL])

        assert blobs.torn(utc_now() + CLOCKS_DIFFER, drop=True) == 0
        assert blobs.has(digest)

    @pytest.mark.parametrize(
        "digest",
        [
            "",
            "sha256:",
            "sha256:../../../../etc/passwd",
            "sha256:" + "../" * 21 + "x",
            "sha256:" + "A" * 64,
            "sha256:" + "0" * 63,
            "sha256:" + "0" * 64 + "\n",
            "md5:" + "0" * 32,
            "0" * 64,
        ],
    )
    def test_only_a_digest_names_bytes(self, blobs: BlobStore, digest: str) -> None:
        with pytest.raises(Invalid) as caught:
            blobs.has(digest)
        assert caught.value.field == "digest"

    def test_many_may_put_the_same_at_once(self, blobs: BlobStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            digests = set(pool.map(lambda _: blobs.put(_pieces(LARGE))[0], range(8)))

        assert digests == {digest_of(LARGE)}
        assert b"".join(blobs.read(digest_of(LARGE))) == LARGE
