"""Files and folders that hold no table, by their bytes."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mainspring.core.errors import Invalid
from mainspring.datasets.digest import whole

FOLDER = b"mainspring-folder-2\n"


def digest_of_file(path: Path) -> str:
    """SHA-256 of the bytes."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def files_in(folder: Path) -> list[Path]:
    """The files below a folder by their relative paths; linked folders are not gone into."""
    found = [
        Path(place) / name
        for place, _, names in os.walk(folder, onerror=_unreadable)
        for name in names
    ]
    return sorted(
        (path for path in found if path.is_file()),
        key=lambda path: os.fsencode(path.relative_to(folder).as_posix()),
    )


def _unreadable(error: OSError) -> None:
    raise Invalid(f"{error.filename} cannot be read: {error.strerror}", field="path") from error


def digest_of_folder(folder: Path) -> str:
    """The digest of the files below a folder, of their paths and bytes."""
    paths = files_in(folder)
    with ThreadPoolExecutor(4, "mainspring-digest") as pool:
        digests = list(pool.map(digest_of_file, paths))
    hasher = hashlib.sha256(FOLDER + whole(len(paths)))
    for path, digest in zip(paths, digests, strict=True):
        name = os.fsencode(path.relative_to(folder).as_posix())
        hasher.update(whole(len(name)) + name + whole(path.stat().st_size))
        hasher.update(bytes.fromhex(digest.removeprefix("sha256:")))
    return f"sha256:{hasher.hexdigest()}"
