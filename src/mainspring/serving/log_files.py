"""Which files of a folder are the prediction log, each row once, while other processes change them.

Names of the log never come back. Files only ever move on: `.open` to `.journal` by renaming, and
from there in replacements: new Parquet files under their final names, then the removal of what they
hold. A replacement of several files is told in a `.merge` file, which lies there from before the
first of the new files until after the last of the old ones. So, whenever a writer dies:

- if all the new files are there, they count, and the old ones do not;
- otherwise the old ones count, and the new ones do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

OPEN, SEALED = ".open", ".journal"
PARQUET, REPLACEMENT = ".parquet", ".merge"
PART = re.compile(r"(\d+)-(\d+)-(.+)\.parquet")


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """What a `.merge` file says: which files take the place of which."""

    new: tuple[str, ...]
    old: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A Parquet file; its name begins with its first and last event time, microseconds UTC."""

    first: int
    last: int
    stem: str
    path: Path


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The files that hold each row of the log once."""

    open: tuple[Path, ...] = ()
    sealed: tuple[Path, ...] = ()
    parts: tuple[Part, ...] = ()


def log_files(folder: Path) -> LogFiles:
    """The files of the log as of one moment; a folder that is not there has none.

    Any of them may have been replaced when it is opened (`FileNotFoundError`): then all that was
    read has to be left, and begun again.
    """
    while True:
        names = _names(folder)
        # A name that is in both listings was there between them, and one that is in neither was
        # not: so the two are what was there at one moment.
        if names != _names(folder):
            continue
        try:
            left_out = _left_out(folder, names)
        except FileNotFoundError:
            continue
        return _sorted(folder, names - left_out)


def part_of(path: Path) -> Part | None:
    """What the name of a Parquet file says; None if it is none of ours."""
    found = PART.fullmatch(path.name)
    return Part(int(found[1]), int(found[2]), found[3], path) if found else None


def read_replacement(path: Path) -> Replacement:
    """Read a `.merge` file."""
    return msgspec.json.decode(path.read_bytes(), type=Replacement)


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return frozenset()


def _left_out(folder: Path, names: frozenset[str]) -> set[str]:
    left_out: set[str] = set()
    for name in names:
        if name.endswith(REPLACEMENT):
            replacement = read_replacement(folder / name)
            is_done = names.issuperset(replacement.new)
            left_out.update(replacement.old if is_done else replacement.new)
    return left_out


def _sorted(folder: Path, names: frozenset[str]) -> LogFiles:
    paths = [folder / name for name in sorted(names)]
    parts = sorted(part for part in map(part_of, paths) if part is not None)
    # The file that takes the place of one journal has its name, and needs no `.merge` file.
    in_parquet = {part.stem for part in parts}
    return LogFiles(
        open=tuple(path for path in paths if path.suffix == OPEN),
        sealed=tuple(p for p in paths if p.suffix == SEALED and p.stem not in in_parquet),
        parts=tuple(parts),
    )
