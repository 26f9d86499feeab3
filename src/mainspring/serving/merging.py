"""Small Parquet files of the prediction log become larger ones, and old ones go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from mainspring.serving.log_files import Part, log_files
from mainspring.serving.replacing import DAMAGED, SMALL, Drafts

MERGE_BYTES = 128 * 2**20
ALIKE = 8
"""So many files of about one size are merged at once; each row is then written again once for
each time that files grow by this factor."""
DAY_MICROS = 24 * 3600 * 1_000_000
REST_MICROS = 3600 * 1_000_000
"""So long after a day has ended all its small files become as few as may be."""


class _Found(NamedTuple):
    """A file that may be merged with others that have the same days."""

    days: tuple[int, int, int]
    """The days of its first and last event, and the one when its newest row was recorded."""
    part: Part
    size: int


def merge_parts(folder: Path, target: int, now_us: int) -> list[Path]:
    """Merge files of the same days and columns, up to about `target` bytes; answer those made.

    Only the holder of the log's lock may call this.
    """
    made: list[Path] = []
    found = sorted(_small(folder, target))
    for days, several in groupby(found, key=lambda one: one.days):
        is_over = (days[2] + 1) * DAY_MICROS + REST_MICROS < now_us
        for schema_parts in _by_columns(list(several)):
            for parts in _chosen(schema_parts, target, is_over=is_over):
                made += _merged(folder, parts)
    return made


def remove_older(folder: Path, than_us: int) -> list[Path]:
    """Remove what was recorded before, by files: one goes once its newest row is older."""
    damaged = folder.glob(f"*{DAMAGED}")
    paths = [*(part.path for part in log_files(folder).parts), *damaged]
    old = [path for path in paths if path.stat().st_mtime_ns < than_us * 1000]
    for path in old:
        path.unlink()
    return old


def _small(folder: Path, target: int) -> Iterator[_Found]:
    for part in log_files(folder).parts:
        status = part.path.stat()
        if status.st_size <= target // 2:
            recorded = status.st_mtime_ns // 1000
            days = (part.first // DAY_MICROS, part.last // DAY_MICROS, recorded // DAY_MICROS)
            yield _Found(days, part, status.st_size)


def _by_columns(found: list[_Found]) -> list[list[_Found]]:
    """Files apart that have other columns, types or models: merging must not change a value."""
    if len(found) < 2:
        return []
    alike: dict[str, list[_Found]] = {}
    for one in found:
        schema = pq.read_schema(one.part.path)
        alike.setdefault(schema.to_string(truncate_metadata=False), []).append(one)
    return [*alike.values()]


def _chosen(found: list[_Found], target: int, *, is_over: bool) -> Iterator[list[Part]]:
    tiers: dict[int, list[_Found]] = {}
    for one in found:
        tiers.setdefault(0 if is_over else one.size.bit_length() // 3, []).append(one)
    for tier in tiers.values():
        if len(tier) >= (2 if is_over else ALIKE):
            for parts in _filled(tier, target):
                if len(parts) > 1:
                    yield parts


def _filled(found: list[_Found], target: int) -> Iterator[list[Part]]:
    parts: list[Part] = []
    size = 0
    for one in found:
        if parts and size + one.size > target:
            yield parts
            parts, size = [], 0
        parts.append(one.part)
        size += one.size
    yield parts


def _merged(folder: Path, parts: list[Part]) -> list[Path]:
    schema = pq.read_schema(parts[0].path)
    drafts = Drafts(folder)
    try:
        draft = drafts.begin(schema, SMALL)
        for part in parts:
            with pq.ParquetFile(part.path) as file:
                for number in range(file.num_row_groups):
                    table = file.read_row_group(number, use_threads=False).select(schema.names)
                    draft.write(table.replace_schema_metadata(schema.metadata))
        draft.finish()
        return drafts.replace([part.path for part in parts])
    finally:
        drafts.remove()
