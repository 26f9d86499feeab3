"""The files of versions in folders, as what serves them reads them."""

from __future__ import annotations

import threading
from pathlib import Path

from mainspring.core.blobs import BlobStore
from mainspring.tracking.contract import FileEntry


class UnpackedModels:
    """A folder for each digest; what is complete there stays as it is."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self._folder = folder
        self._blobs = blobs
        self._one_at_a_time = threading.Lock()
        """Several deployments may want the same files."""

    def unpacked(self, digest: str, files: list[FileEntry]) -> Path:
        """The folder of the files with that digest, each verified as it is read."""
        folder = self._folder / digest.replace(":", "-")
        done = folder / ".complete"
        if not done.exists():
            with self._one_at_a_time:
                if not done.exists():
                    self._unpack(files, folder)
                    done.touch()
        return folder

    def _unpack(self, files: list[FileEntry], folder: Path) -> None:
        for file in files:
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f"{place.name}.part")
            with aside.open("wb") as output:
                for piece in self._blobs.read(file.digest):
                    output.write(piece)
            aside.replace(place)
