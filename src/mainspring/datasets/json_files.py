"""Files of one JSON object a line as one table: the types are found in all of their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import json

from mainspring.datasets.csv_files import PIECE, unreadable
from mainspring.datasets.rows import Batches, Rows


def from_json_lines(paths: Sequence[Path]) -> Rows:
    """The rows of the files, one after the other; a field is a column, in the order of appearance."""
    schema = pa.schema([])
    for path in paths:
        for piece in _pieces(path):
            try:
                found = _parsed(piece, None).schema
                wanted = pa.schema([pa.field(one.name, _as_written(one.type)) for one in found])
                schema = pa.unify_schemas([schema, wanted], promote_options="permissive")
            except pa.ArrowException as error:
                raise unreadable(path, error) from None

    def batches() -> Batches:
        for path in paths:
            for piece in _pieces(path):
                yield from _parsed(piece, schema).to_batches()

    return Rows(schema, batches, "jsonl")


def _parsed(piece: bytes, schema: pa.Schema | None) -> pa.Table:
    parsing = json.ParseOptions(explicit_schema=schema, newlines_in_values=False)
    # One block: types are found in a block, and blocks may not differ.
    reading = json.ReadOptions(block_size=len(piece) + 1)
    return json.read_json(pa.BufferReader(piece), reading, parsing)


def _as_written(kind: pa.DataType) -> pa.DataType:
    """Text stays text, whatever moment it may tell."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_as_written(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(one.name, _as_written(one.type)) for one in kind])
    return kind


def _pieces(path: Path) -> Iterator[bytes]:
    """The file in pieces of whole lines."""
    rest = b""
    with pa.input_stream(str(path), compression="detect") as stream:
        while piece := stream.read(PIECE):
            head, line_end, tail = piece.rpartition(b"\n")
            if not line_end:
                rest += piece
                continue
            yield from _unless_blank(rest + head + line_end)
            rest = tail
    yield from _unless_blank(rest)


def _unless_blank(piece: bytes) -> Iterator[bytes]:
    if piece.strip():
        yield piece
