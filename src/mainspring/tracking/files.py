"""Files of a workspace on this machine: fetched once, by their digest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mainspring.core.operation import FileClient
from mainspring.tracking.contract import FileEntry


def cache_folder() -> Path:
    """A private folder for fetched files; what is in it can always be fetched again."""
    folder = Path(tempfile.gettempdir()) / f"mainspring-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def fetched(client: FileClient, digest: str, *, suffix: str = "") -> Path:
    """The file's place on this machine; the client verifies its bytes on the way."""
    place = cache_folder() / f"{digest.partition(':')[2]}{suffix}"
    if not place.exists():
        handle, name = tempfile.mkstemp(dir=place.parent, prefix="incoming-")
        with os.fdopen(handle, "wb") as file:
            for piece in client.download(digest):
                file.write(piece)
        Path(name).replace(place)
    return place


def fetched_folder(client: FileClient, digest: str, files: list[FileEntry]) -> Path:
    """The files of a model under their own names."""
    folder = cache_folder() / f"model-{digest.partition(':')[2]}"
    if not folder.exists():
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix="incoming-"))
        for file in files:
            target = aside / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(fetched(client, file.digest).read_bytes())
        try:
            aside.replace(folder)
        except OSError:  # another process was quicker
            if not folder.exists():
                raise
    return folder
