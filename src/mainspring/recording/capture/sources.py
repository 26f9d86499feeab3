"""Which files are code, and one digest for those of a folder that is in no repository."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

SUFFIXES = frozenset(
    [
        ".py",
        ".pyi",
        ".pyx",
        ".pxd",
        ".ipynb",
        ".r",
        ".rmd",
        ".jl",
        ".sh",
        ".sql",
        ".c",
        ".cc",
        ".cpp",
        ".cu",
        ".cuh",
        ".h",
        ".hpp",
        ".rs",
        ".go",
        ".java",
        ".scala",
        ".js",
        ".ts",
        ".toml",
        ".yaml",
        ".yml",
        ".cfg",
        ".ini",
        ".stan",
    ]
)
PYTHON = frozenset({".py", ".ipynb"})
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "venv"})
MAX_FILES, MAX_BYTES, MAX_ENTRIES = 1_000, 20 * 2**20, 20_000
LARGE = 64 * 2**20


def is_source(name: str) -> bool:
    """Whether a file is code by its name."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122  names may be no paths here


def digest_of_file(path: Path, large: int | None = None) -> str:
    """The digest of a file's bytes; of a file above `large`, its size and both its ends stand for it."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if large is not None and size > large:
            hasher.update(f"{size}\n".encode() + file.read(2**20))
            file.seek(-(2**20), os.SEEK_END)
        while piece := file.read(2**18):
            hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"


def digest_of_folder(folder: Path, entry_point: str) -> str:
    """The digest of the Python files in a folder and below it, and of which of them is run."""
    hasher = hashlib.sha256(f"folder\n{entry_point}".encode("utf-8", "surrogateescape"))
    room = MAX_BYTES
    for path in sorted(_sources(folder)):
        try:
            room -= path.stat().st_size
            if room < 0:
                break
            digest = digest_of_file(path)
        except OSError:
            continue
        line = f"\n{path.relative_to(folder).as_posix()}\0{digest}"
        hasher.update(line.encode("utf-8", "surrogateescape"))
    return f"sha256:{hasher.hexdigest()}"


def digest_of_cells(cells: Sequence[str]) -> str:
    """The digest of what was executed in a notebook or a shell, in its order."""
    hasher = hashlib.sha256(b"cells")
    for cell in cells:
        source = cell.strip().encode("utf-8", "surrogatepass")
        hasher.update(f"\n{len(source)}\n".encode() + source)
    return f"sha256:{hasher.hexdigest()}"


def _sources(folder: Path) -> list[Path]:
    """The Python files of the folder, then those below it, level by level, up to a bound."""
    found: list[Path] = []
    level, seen = [folder], 0
    while level and len(found) < MAX_FILES and seen < MAX_ENTRIES:
        below: list[Path] = []
        for one in level:
            for entry in _entries(one):
                seen += 1
                if entry.is_dir(follow_symlinks=False) and not _is_skipped(entry):
                    below.append(Path(entry.path))
                elif entry.name.lower().endswith((".py", ".ipynb")) and entry.is_file():
                    found.append(Path(entry.path))
            if seen >= MAX_ENTRIES:
                break
        level = sorted(below)
    return found[:MAX_FILES]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return


def _is_skipped(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") or entry.name in SKIPPED
    return hidden or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))  # noqa: PTH110, PTH118  in a tight loop
