"""What may be asked about artifacts: the stored files of runs and trained models, and loose ones."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN, Id
from mainspring.core.operation import Done, Operation, Page, Request
from mainspring.tracking.contract import FileEntry, FilePath, FolderPath

Place = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(files|(runs|models|uploads)/[0-9a-f]{32})$(?!\n)",
        description="whose files: runs/ID, models/ID, uploads/ID, or files",
    ),
]


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a folder of files, as it is listed."""

    path: str
    folder: bool
    size: int | None
    digest: str | None


class LogArtifact(Request, frozen=True, kw_only=True):
    """A stored file that belongs to the run."""

    run: Id
    file: FileEntry


class PutArtifact(Request, frozen=True, kw_only=True):
    """A stored file for a path; another one that is there is replaced."""

    place: Place
    file: FileEntry


class ListArtifacts(Request, frozen=True, kw_only=True):
    """What is in a folder; the empty path is the place itself."""

    place: Place
    path: FolderPath = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    after: Annotated[str, msgspec.Meta(max_length=601, pattern=PLAIN)] | None = None
    """The token of the page before."""


class NameArtifact(Request, frozen=True, kw_only=True):
    """One file."""

    place: Place
    path: FilePath


class RemoveArtifacts(Request, frozen=True, kw_only=True):
    """A file, a folder with all in it, or with the empty path everything."""

    place: Place
    path: FolderPath


log_artifact = Operation(
    "runs.log-artifact", "POST", "/runs/{run}/artifacts", LogArtifact, FileEntry,
    allow="log", summary="Link a stored file to a run.", repeatable=True,
)  # fmt: skip
put_artifact = Operation(
    "artifacts.put", "POST", "/artifacts", PutArtifact, FileEntry,
    allow="log", summary="Put a stored file under a path, in place of another.", repeatable=True,
)  # fmt: skip
receive_artifact = Operation(
    "artifacts.receive", "POST", "/received-artifacts", PutArtifact, FileEntry,
    allow="log", summary="Put a file whose bytes have just come under a path.",
    repeatable=True, inside=True,
)  # fmt: skip
list_artifacts = Operation(
    "artifacts.list", "GET", "/artifacts", ListArtifacts, Page[Artifact],
    allow="read", summary="List the files and folders of a folder.",
)  # fmt: skip
show_artifact = Operation(
    "artifacts.show", "GET", "/artifact", NameArtifact, FileEntry,
    allow="read", summary="Show a file: its digest and size.",
)  # fmt: skip
remove_artifacts = Operation(
    "artifacts.remove", "DELETE", "/artifacts", RemoveArtifacts, Done,
    allow="log", summary="Remove files; their bytes stay until they are collected.",
    repeatable=True,
)  # fmt: skip
