"""The code of a run: its commit, how the tree differs from it, what was started with what."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

from mainspring.recording.capture.cells import as_script
from mainspring.recording.capture.changes import Changes
from mainspring.recording.capture.entry import Entry
from mainspring.recording.capture.repository import Repository, Unreadable
from mainspring.recording.capture.sources import (
    PYTHON,
    digest_of_cells,
    digest_of_file,
    digest_of_folder,
)
from mainspring.recording.redaction import redacted_arguments, without_credentials

NAMES_TOLD = 20
MAX_WORD, MAX_WORDS = 4_000, 500
PATCH, CELLS = "code/dirty.patch", "code/cells.py"


class Code(NamedTuple):
    """What is known of the code: a document, and the patch that the commit lacks."""

    document: dict[str, Any]
    diff: bytes | None
    cells: str | None = None
    """What was executed so far in a notebook or a shell."""

    @property
    def files(self) -> dict[str, bytes]:
        """What is kept beside the document, by its path among the run's artifacts."""
        found = {
            PATCH: self.diff,
            CELLS: self.cells.encode("utf-8", "replace") if self.cells else None,
        }
        return {path: content for path, content in found.items() if content}


def code(entry: Entry) -> Code:
    """Look at the code of a script, or at the cells of a notebook; never raises for what it finds.

    `digest` is its identity: equal ones are the same code, whatever the machine and the folder.
    """
    script, here = entry.path, entry.folder or Path.cwd()
    document: dict[str, Any] = {
        "arguments": _bounded(redacted_arguments(entry.arguments)),
        "working_folder": str(here),
    }
    if entry.module:
        document["module"] = entry.module
    own = script is not None and script.is_file() and not _is_installed(script)
    folder = (script.parent if script is not None and own else here).resolve()
    if script is not None and script.is_file():
        document["entry_point"] = script.name
        document["source_digest"] = digest_of_file(script)
    diff, digest = _in_repository(document, folder, script.resolve() if script and own else None)
    cells = list(entry.cells)
    if cells:
        digest = digest_of_cells([cell.source for cell in cells])
        document["cells"] = len(cells)
    elif digest is None and script is not None and own and script.suffix.lower() in PYTHON:
        digest = digest_of_folder(folder, script.name)
    elif digest is None and script is not None and own:
        digest = document["source_digest"]
    if digest is not None:
        document["digest"] = digest
    return Code(document, diff, as_script(cells) if cells else None)


def _bounded(words: list[str]) -> list[str]:
    """The words of a command, long ones and many cut; a digest stands for what is left out."""
    found = [
        word if len(word) <= MAX_WORD else f"{word[:MAX_WORD]}… {_digest_of([word])}"
        for word in words
    ]
    if len(found) > MAX_WORDS:
        rest = words[MAX_WORDS:]
        found[MAX_WORDS:] = [f"… {len(rest):,} more {_digest_of(rest)}"]
    return found


def _digest_of(words: list[str]) -> str:
    text = "\0".join(words).encode("utf-8", "surrogateescape")
    return f"sha256:{hashlib.sha256(text).hexdigest()[:16]}"


def _in_repository(
    document: dict[str, Any], folder: Path, script: Path | None
) -> tuple[bytes | None, str | None]:
    """Add what git knows; answers the patch, and the digest if the script is in the repository."""
    try:
        with Repository(folder) as repository:
            commit = repository.maybe("rev-parse", "--verify", "--quiet", "HEAD")
            _describe_commit(document, repository, commit)
            changes = Changes(repository, commit)
            document["dirty"] = bool(changes.tracked or changes.new_sources)
            if changes.trouble is not None:
                document["git"] = changes.trouble
            digest = changes.digest()
            patch = changes.patch()
    except Unreadable as error:
        if "not a git repository" not in str(error):
            document["git"] = str(error)[:300]
        return None, None
    if script is not None and repository.root in script.parents:
        document["entry_point"] = script.relative_to(repository.root).as_posix()
    if patch.text:
        document["diff"] = {
            "bytes": len(patch.text),
            "files": patch.files,
            "left_out": patch.left_out[:NAMES_TOLD],
            "left_out_count": len(patch.left_out),
            "secrets_redacted": patch.secrets,
        }
    if script is None:  # a shell's or a tool's code is not the folder's
        return patch.text or None, None
    whole = hashlib.sha256(f"git\n{digest}\n{document['entry_point']}".encode()).hexdigest()
    return patch.text or None, f"sha256:{whole}"


def _describe_commit(document: dict[str, Any], repository: Repository, commit: str | None) -> None:
    if commit is not None:
        document["commit"] = commit
    document["branch"] = repository.maybe("symbolic-ref", "--short", "--quiet", "HEAD")
    names = (repository.maybe("remote") or "").splitlines()
    if names:
        name = "origin" if "origin" in names else names[0]
        address = repository.maybe("config", "--get", f"remote.{name}.url")
        document["remote"] = without_credentials(address) if address else None


def _is_installed(script: Path) -> bool:
    """Whether the script came with a package, as `pytest` did: its folder is not the user's code."""
    places = [
        Path(prefix) / name
        for prefix in {sys.prefix, sys.base_prefix, "/usr"}
        for name in ("bin", "lib")
    ]
    packaged = any(part in ("site-packages", "dist-packages") for part in script.parts)
    return packaged or any(place in script.parents for place in places)
