"""Frames of the prediction log as rows of an Arrow table.

A missing number stays NaN, as the model saw it; a missing text is null. A column that holds several
values a row is a list, flat in row-major order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from math import prod

import numpy as np
import pyarrow as pa

from mainspring.core.signature import Datatype
from mainspring.engines.tensor import DTYPES
from mainspring.serving.journal import Frame, Packed

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


def table_of(frames: Iterable[Frame]) -> pa.Table:
    """The frames as rows; runs of one version with the same columns are turned at once."""
    runs = groupby(frames, key=_shape)
    return joined([BASE.empty_table(), *(_run(list(run)) for _, run in runs)])


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """One table; a column that changed its type between versions takes the wider one."""
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            known = types.get(field.name, field.type)
            types[field.name] = known if known == field.type else _wider(known, field.type)
    return pa.concat_tables(
        [
            table.cast(pa.schema([(name, types[name]) for name in table.column_names]), safe=False)
            for table in tables
        ],
        promote_options="default",
    )


def _shape(frame: Frame) -> tuple[object, ...]:
    return (
        frame.model,
        frame.version,
        tuple((name, packed[:2]) for name, packed in frame.inputs.items()),
        tuple((name, packed[:2]) for name, packed in frame.outputs.items()),
    )


def _run(frames: list[Frame]) -> pa.Table:
    counts = [frame.rows for frame in frames]
    recorded = np.repeat(np.array([frame.recorded_at for frame in frames], dtype=np.int64), counts)
    columns: dict[str, pa.Array] = {
        "request_id": _chained([frame.request_ids for frame in frames], pa.string()),
        "event_time": _chained([frame.event_times for frame in frames], MOMENT),
        "recorded_at": pa.array(recorded, MOMENT),
        "model": pa.repeat(frames[0].model, sum(counts)),
        "version": pa.repeat(frames[0].version, sum(counts)),
        "entity_key": _chained([frame.entity_keys for frame in frames], pa.string()),
        "latency_us": _chained([frame.row_latencies for frame in frames], pa.int64()),
    }
    for name in frames[0].inputs:
        columns[f"input.{name}"] = _column([frame.inputs[name] for frame in frames])
    for name in frames[0].outputs:
        columns[f"output.{name}"] = _column([frame.outputs[name] for frame in frames])
    return pa.table(columns)


def _chained(parts: Sequence[Sequence[object]], kind: pa.DataType) -> pa.Array:
    return pa.array(list(chain.from_iterable(parts)), kind)


def _column(parts: list[Packed]) -> pa.Array:
    datatype, shape, _ = parts[0]
    if datatype == "BYTES":
        texts = [_text(value) for _, _, data in parts for value in data]
        values = pa.array(texts, pa.string())
    else:
        raw = b"".join(data for _, _, data in parts)
        values = pa.array(np.frombuffer(raw, dtype=DTYPES[datatype]), TYPES[datatype])
    if not shape:
        return values
    size = prod(shape)
    if not size:
        return pa.nulls(0, pa.list_(values.type))
    offsets = np.arange(0, len(values) + 1, size, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _text(value: str | bytes | None) -> str | None:
    """Bytes of a model that declares no text may be anything."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_wider(one.value_type, other.value_type))
    if one == other:
        return one
    return pa.string() if pa.string() in (one, other) else pa.float64()
