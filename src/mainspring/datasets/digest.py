"""The digest of a table, version 2; docs/dataset.md is its definition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.datasets.blocks import Block, blocks, column_of, look_at_columns, rows_of
from mainspring.datasets.encoding import (
    lengths_and_bytes,
    numbers,
    pieces,
    presence,
)
from mainspring.datasets.kinds import is_binary, is_text, plain, type_of

ORDERED = b"mainspring-dataset-2\n"
UNORDERED = b"mainspring-dataset-2 unordered\n"
SPARSE = b"mainspring-dataset-2 sparse\n"
_PREFIX = "sha256:"


def whole(number: int) -> bytes:
    """A number as eight bytes, the lowest first."""
    return number.to_bytes(8, "little")


def words(text: str) -> bytes:
    """A text behind its length in bytes."""
    content = text.encode()
    return whole(len(content)) + content


def types_of(schema: pa.Schema) -> list[str]:
    """The type of each column; raises for one that has none."""
    return [type_of(field.type, field.name) for field in schema]


def block_digest(found: Iterable[Any]) -> bytes:
    """The digest of the pieces of one column of one block."""
    hasher = hashlib.sha256()
    for piece in found:
        hasher.update(piece)
    return hasher.digest()


class TableDigest:
    """The digest of rows in their order, block by block."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = list(zip(schema.names, types_of(schema), strict=True))
        self._columns = [hashlib.sha256() for _ in self._schema]

    def add(self, rows: int, digests: Sequence[bytes]) -> None:
        """Add the next block: the digest of each of its columns."""
        self.rows += rows
        for column, digest in zip(self._columns, digests, strict=True):
            column.update(digest)

    def text(self) -> str:
        """The digest of all that was added."""
        hasher = hashlib.sha256(ORDERED + whole(self.rows) + whole(len(self._schema)))
        for (name, kind), column in zip(self._schema, self._columns, strict=True):
            hasher.update(words(name) + words(kind) + column.digest())
        return _PREFIX + hasher.hexdigest()


class RowsDigest:
    """The digest of rows in any order: of the digests of the rows, sorted."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = list(zip(schema.names, types_of(schema), strict=True))
        self._found: list[bytes] = []

    def add(self, block: Block) -> None:
        """Add the rows of a block."""
        rows = rows_of(block)
        self.rows += rows
        columns = [_one_by_one(column_of(block, place)) for place in range(len(self._schema))]
        joined = map(b"".join, zip(*columns, strict=True)) if columns else iter([b""] * rows)
        self._found.append(b"".join(hashlib.sha256(row).digest() for row in joined))

    def text(self) -> str:
        """The digest of all that was added."""
        hasher = hashlib.sha256(UNORDERED + whole(self.rows) + whole(len(self._schema)))
        for name, kind in self._schema:
            hasher.update(words(name) + words(kind))
        hasher.update(np.sort(np.frombuffer(b"".join(self._found), "S32")).tobytes())
        return _PREFIX + hasher.hexdigest()


def _one_by_one(array: pa.Array) -> list[bytes]:
    """The bytes of each row of a column, as if it were a block of its own."""
    array = plain(array)
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers_one_by_one(array)
    if is_text(kind) or is_binary(kind):
        return _words_one_by_one(array)
    return [b"".join(bytes(piece) for piece in pieces(one)) for one in _rows(array)]


def _rows(array: pa.Array) -> Iterable[pa.Array]:
    return (array.slice(place, 1) for place in range(len(array)))


def _numbers_one_by_one(array: pa.Array) -> list[bytes]:
    found = numbers(array)
    width = 1 + found.values.itemsize
    table = np.zeros((len(array), width), np.uint8)
    table[:, 0] = 1 if found.present is None else found.present
    little = found.values.astype(found.values.dtype.newbyteorder("<"))
    table[:, 1:] = little.view(np.uint8).reshape(len(array), -1)
    data = table.tobytes()
    return [data[start : start + width] for start in range(0, len(data), width)]


def _words_one_by_one(array: pa.Array) -> list[bytes]:
    lengths, data = lengths_and_bytes(array)
    present = presence(array)
    flags = (
        [b"\x01"] * len(array) if present is None else [bytes([one]) for one in present.tolist()]
    )
    ends = np.cumsum(lengths).tolist()
    content = bytes(data)
    return [
        flag + whole(length) + content[end - length : end]
        for flag, length, end in zip(flags, lengths.tolist(), ends, strict=True)
    ]


def digest_of_batches(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, ordered: bool = True
) -> str:
    """The digest of the rows, which are read once."""
    if not ordered:
        unordered = RowsDigest(schema)
        for block in blocks(batches):
            unordered.add(block)
        return unordered.text()
    digest = TableDigest(schema)
    for rows, found in look_at_columns(batches, len(schema), _column_digest):
        digest.add(rows, found)
    return digest.text()


def _column_digest(block: Block, place: int) -> bytes:
    return block_digest(pieces(column_of(block, place)))


def digest_of_table(table: pa.Table, *, ordered: bool = True) -> str:
    """The digest of a table, whatever its chunks."""
    return digest_of_batches(table.schema, table.to_batches(), ordered=ordered)


def digest_of_sparse(shape: Sequence[int], *digests: str) -> str:
    """The digest of a sparse matrix, from that of the table of its values, and of what is beside."""
    contents = [bytes.fromhex(digest.removeprefix(_PREFIX)) for digest in digests]
    return _PREFIX + hashlib.sha256(b"".join([SPARSE, *map(whole, shape), *contents])).hexdigest()
