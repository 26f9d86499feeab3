"""An upload whose bytes are collected in the moment before it names them puts them again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

from mainspring.app import App
from mainspring.core.blobs import LocalBlobs, digest_of
from tests import story
from tests.conftest import Prepared
from tests.house import Clients, Clock


class Hasty(LocalBlobs):
    """A store in which bytes are collected in the moment after they came, the first time."""

    hurries = True

    def put(self, chunks: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the bytes, and lose them."""
        digest, size = super().put(chunks, expected)
        if self.hurries:
            self.hurries = False
            self.delete(digest)
        return digest, size


@pytest.fixture
def app(prepared: Prepared, clock: Clock) -> Iterator[App]:
    """An application that is collected at the worst of moments."""
    app = App(prepared.settings, clock)
    app.blobs = Hasty(app.settings.artifacts_folder)
    yield app
    app.close()


@pytest.mark.parametrize("size", [0, 10, 3 << 20], ids=["nothing", "in memory", "aside"])
def test_bytes_that_were_collected_meanwhile_are_put_again(clients: Clients, size: int) -> None:
    data = os.urandom(size)

    digest = story.put(clients.developer, data)

    assert digest == digest_of(data)
    assert b"".join(clients.viewer.download(digest)) == data
