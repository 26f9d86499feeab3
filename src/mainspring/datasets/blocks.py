"""Tables in blocks of rows, whose columns are looked at in threads; results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from mainspring.datasets.kinds import plain

T = TypeVar("T")

BLOCK = 65_536
"""Rows; a part of the definition of the digest."""
MOST_THREADS = 8

Block = list[pa.RecordBatch]
"""Pieces of batches, BLOCK rows together, fewer in the last block alone."""


def blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[Block]:
    """The same rows in blocks, however long the batches are; nothing is copied."""
    waiting: Block = []
    missing = BLOCK
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, missing)
            waiting.append(piece)
            start += piece.num_rows
            missing -= piece.num_rows
            if not missing:
                yield waiting
                waiting, missing = [], BLOCK
    if waiting:
        yield waiting


def rows_of(block: Block) -> int:
    """How many rows a block has."""
    return sum(piece.num_rows for piece in block)


def column_of(block: Block, place: int) -> pa.Array:
    """One column of a block."""
    if len(block) == 1:
        return block[0].column(place)
    # Without their encodings: pieces may have dictionaries of their own.
    return pa.concat_arrays([plain(piece.column(place)) for piece in block])


def look_at_columns(
    batches: Iterable[pa.RecordBatch], width: int, look: Callable[[Block, int], T]
) -> Iterator[tuple[int, list[T]]]:
    """The rows of each block, and what was seen in each of its columns."""
    workers = _workers()
    with ThreadPoolExecutor(workers, "mainspring-digest") as pool:
        under_way: deque[tuple[int, list[Future[T]]]] = deque()
        for block in blocks(batches):
            rows = rows_of(block)
            if rows < BLOCK:  # the last: threads would cost more than they bring
                yield from _done(under_way)
                yield rows, [look(block, place) for place in range(width)]
                continue
            under_way.append((rows, [pool.submit(look, block, at) for at in range(width)]))
            if (len(under_way) - 1) * max(width, 1) >= 2 * workers:
                yield _finished(*under_way.popleft())
        yield from _done(under_way)


def _workers() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(MOST_THREADS, len(affinity(0)) if affinity else os.cpu_count() or 1)


def _finished(rows: int, seen: list[Future[T]]) -> tuple[int, list[T]]:
    return rows, [one.result() for one in seen]


def _done(under_way: deque[tuple[int, list[Future[T]]]]) -> Iterator[tuple[int, list[T]]]:
    while under_way:
        yield _finished(*under_way.popleft())
