"""Frames of the prediction log as rows of an Arrow table.

A missing number stays NaN, as the model saw it; a missing text is null. A column that holds several
values a row is a list, flat in row-major order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from math import prod

import numpy as np
import pyarrow as pa

from mainspring.core.signature import Datatype
from mainspring.engines.tensor import Array
from mainspring.serving.arrays import numbered, numbers, repeated, texts
from mainspring.serving.journal import Frame, Packed

Columns = tuple[tuple[str, Datatype, bool], ...]
"""Names, datatypes, and whether a row has one value."""
Shape = tuple[str, str, Columns, Columns]
MODEL = b"mainspring.model"

MOMENT = pa.timestamp("us", tz="UTC")
BASE = pa.schema(
    [
        ("request_id", pa.string()),
        ("event_time", MOMENT),
        ("recorded_at", MOMENT),
        ("model", pa.string()),
        ("version", pa.string()),
        ("entity_key", pa.string()),
        ("latency_us", pa.int64()),
    ]
)
TYPES: dict[Datatype, pa.DataType] = {
    "BOOL": pa.bool_(),
    "UINT8": pa.uint8(),
    "UINT16": pa.uint16(),
    "UINT32": pa.uint32(),
    "UINT64": pa.uint64(),
    "INT8": pa.int8(),
    "INT16": pa.int16(),
    "INT32": pa.int32(),
    "INT64": pa.int64(),
    "FP16": pa.float16(),
    "FP32": pa.float32(),
    "FP64": pa.float64(),
    "BYTES": pa.string(),
}


def tables_of(frames: Iterable[Frame]) -> list[pa.Table]:
    """The frames as rows: one table for each model and set of columns, the model in its metadata."""
    runs: dict[Shape, list[Frame]] = {}
    for frame in frames:
        runs.setdefault(_shape(frame), []).append(frame)
    alike: dict[tuple[object, ...], list[pa.Table]] = {}
    for shape, run in runs.items():
        table = _run(run)
        names = tuple(zip(table.column_names, table.schema.types, strict=True))
        alike.setdefault((shape[0], names), []).append(table)
    return [
        pa.concat_tables(tables).replace_schema_metadata({MODEL: model})
        for (model, _), tables in alike.items()
    ]


def table_of(frames: Iterable[Frame]) -> pa.Table:
    """The frames as rows of one table."""
    return joined([BASE.empty_table(), *tables_of(frames)])


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """One table; a column that changed its type between versions takes the wider one."""
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            known = types.get(field.name, field.type)
            types[field.name] = known if known == field.type else _wider(known, field.type)
    return pa.concat_tables([_cast(table, types) for table in tables], promote_options="default")


def _cast(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    wanted = pa.schema([(name, types[name]) for name in table.column_names])
    if table.schema == wanted:
        return table
    for place, field in enumerate(wanted):
        if pa.types.is_list(field.type) and not pa.types.is_list(table.schema.types[place]):
            values = table[field.name].combine_chunks()
            offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32))
            table = table.set_column(place, field.name, pa.ListArray.from_arrays(offsets, values))
    return table.cast(wanted, safe=False)


def _shape(frame: Frame) -> Shape:
    """What frames have in common that become columns together."""
    return (
        frame.model,
        frame.version,
        tuple([(name, one[0], not one[1]) for name, one in frame.inputs.items()]),
        tuple([(name, one[0], not one[1]) for name, one in frame.outputs.items()]),
    )


def _run(frames: list[Frame]) -> pa.Table:
    calls = np.array(list(_flat([frame.counts for frame in frames])), dtype=np.int64)
    of_frame = np.array([frame.rows for frame in frames], dtype=np.int64)
    rows = int(of_frame.sum())
    recorded = np.array([frame.recorded_at for frame in frames], dtype=np.int64)
    latencies = np.array(list(_flat([frame.latencies for frame in frames])), dtype=np.int64)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "request_id": _request_ids(frames, calls),
        "event_time": numbers(_event_times(frames, calls), MOMENT),
        "recorded_at": numbers(np.repeat(recorded, of_frame), MOMENT),
        "model": repeated(frames[0].model, rows),
        "version": repeated(frames[0].version, rows),
        "entity_key": _entity_keys(frames, rows),
        "latency_us": numbers(np.repeat(latencies, calls), pa.int64()),
    }
    for name in frames[0].inputs:
        columns[f"input.{name}"] = _column([frame.inputs[name] for frame in frames], of_frame)
    for name in frames[0].outputs:
        columns[f"output.{name}"] = _column([frame.outputs[name] for frame in frames], of_frame)
    return pa.Table.from_arrays(
        [*columns.values()],
        schema=pa.schema([_field(name, array.type) for name, array in columns.items()]),
    )


def _field(name: str, kind: pa.DataType) -> pa.Field:
    """A column; only texts can be missing, and what cannot is written faster."""
    return pa.field(name, kind, nullable=kind == pa.string() or kind == pa.list_(pa.string()))


def _request_ids(frames: list[Frame], calls: Array) -> pa.Array | pa.ChunkedArray:
    if any(frame.row_ids for frame in frames):
        return texts(list(_flat([frame.request_ids for frame in frames])))
    ids = list(_flat([frame.ids for frame in frames]))
    if len(calls) == calls.sum():
        return texts(ids)
    return pa.chunked_array(list(numbered(ids, calls)), pa.string())


def _event_times(frames: list[Frame], calls: Array) -> Array:
    if any(frame.row_times for frame in frames):
        return np.array(list(_flat([frame.event_times for frame in frames])), dtype=np.int64)
    times = np.array(list(_flat([frame.times for frame in frames])), dtype=np.int64)
    return np.repeat(times, calls)


def _entity_keys(frames: list[Frame], rows: int) -> pa.Array:
    if all(frame.entities is None and not frame.row_entities for frame in frames):
        return pa.nulls(rows, pa.string())
    return texts(list(_flat([frame.entity_keys for frame in frames])))


_flat = chain.from_iterable


def _column(parts: list[Packed], rows: Array) -> pa.Array:
    datatype, shape, _ = parts[0]
    if datatype == "BYTES":
        values = texts(list(_flat([data for _, _, data in parts])))
    else:
        values = numbers(b"".join([data for _, _, data in parts]), TYPES[datatype])
    if not shape:
        return values
    sizes = np.repeat([prod(one) for _, one, _ in parts], rows)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    kind = pa.list_(pa.field("item", values.type, nullable=datatype == "BYTES"))
    return pa.ListArray.from_arrays(numbers(offsets, pa.int32()), values, type=kind)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that can hold both; a single value becomes a list of one beside lists."""
    if one == other:
        return one
    if pa.types.is_list(one) or pa.types.is_list(other):
        return pa.list_(_wider(_item(one), _item(other)))
    return pa.string() if pa.string() in (one, other) else pa.float64()


def _item(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_list(kind) else kind
