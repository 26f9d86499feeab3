"""The Open Inference Protocol v2 in JSON: requests to columns, columns to responses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any
from uuid import uuid4

import msgspec
import numpy as np

from mainspring.core.errors import Invalid, TooLarge
from mainspring.core.signature import Column, Signature
from mainspring.engines.tensor import DTYPES, Array, Tensors, check_inputs, null_refused

MAX_ROWS = 100_000
REQUEST_ID = "mainspring.request_id"
EVENT_TIME = "mainspring.event_time"
RESERVED = {
    REQUEST_ID: Column(name=REQUEST_ID, datatype="BYTES"),
    EVENT_TIME: Column(name=EVENT_TIME, datatype="INT64"),
}
LONGEST_ID = 200
LAST_MOMENT = 253_402_300_799_999_999  # the end of the year 9999

JSON_TYPES: dict[str, Any] = {
    "BOOL": bool,
    "INT64": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "FP32": float,
    "FP64": float,
    "BYTES": str,
}
NESTED = re.compile(rb"\[\s*\[")
ROW = re.compile(r" - at `\$\[(\d+)\].*`$")


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw
    parameters: dict[str, Any] | None = None


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: dict[str, Any] | None = None


class _Infer(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """One request, checked, as columns."""

    id: str
    rows: int
    request_ids: list[str]
    event_times: list[int]
    inputs: Tensors
    outputs: tuple[str, ...]
    """The model's outputs that the caller wants, in that order."""


class _Reader:
    """Reads the `data` of one column."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._dtype = DTYPES[column.datatype]
        kind = JSON_TYPES[column.datatype]
        value = kind | None if column.nullable else kind
        self._flat: Any = msgspec.json.Decoder(GenericAlias(list, (value,)))
        self._nested: Any = msgspec.json.Decoder(
            GenericAlias(list, (GenericAlias(tuple, (value,)),))
        )

    def read(self, tensor: _Tensor) -> Array:
        name, shape = self.column.name, tensor.shape
        if tensor.datatype != self.column.datatype:
            raise Invalid(
                f"column {name!r} has the datatype {tensor.datatype!r}; "
                f"{self.column.datatype} is wanted",
                field=name,
            )
        if len(shape) not in (1, 2) or shape[0] < 1 or shape[1:] not in ([], [1]):
            raise Invalid(
                f"column {name!r} has the shape {shape}; [rows] or [rows, 1] is wanted", field=name
            )
        if shape[0] > MAX_ROWS:
            raise TooLarge(
                f"column {name!r} has {shape[0]} rows; at most {MAX_ROWS} fit", field=name
            )
        values = self._values(tensor)
        if len(values) != shape[0]:
            raise Invalid(
                f"column {name!r} has {len(values)} values, its shape {shape} says {shape[0]}",
                field=name,
            )
        return self._array(values)

    def _values(self, tensor: _Tensor) -> list[Any]:
        raw = tensor.data
        nested = len(tensor.shape) == 2 and NESTED.match(raw) is not None
        try:
            if nested:
                return [value for (value,) in self._nested.decode(raw)]
            flat: list[Any] = self._flat.decode(raw)
        except msgspec.ValidationError as error:
            raise self._refusal(str(error)) from None
        return flat

    def _refusal(self, text: str) -> Invalid:
        name, row = self.column.name, ROW.search(text)
        if row is None:
            return Invalid(f"column {name!r}: {text.partition(' - at ')[0]}", field=name)
        if "got `null`" in text:
            return null_refused(self.column, int(row[1]))
        return Invalid(f"column {name!r}, row {row[1]}: {text[: row.start()]}", field=name)

    def _array(self, values: list[Any]) -> Array:
        if self.column.datatype != "FP32":
            return np.array(values, dtype=self._dtype)
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=self._dtype)
        if np.count_nonzero(np.isinf(array)):
            row = int(np.isinf(array).argmax())
            raise Invalid(
                f"column {self.column.name!r}, row {row}: {values[row]!r} does not fit FP32",
                field=self.column.name,
            )
        return array


class Codec:
    """The protocol for one signature, with its decoders made once."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._outputs = {column.name: column.datatype for column in signature.outputs}
        self._readers = {column.name: _Reader(column) for column in signature.inputs}
        self._readers |= {name: _Reader(column) for name, column in RESERVED.items()}
        self._request = msgspec.json.Decoder(_Infer)

    def decode(self, body: bytes, now_us: int) -> InferRequest:
        """Check a request body; `now_us` is the event time of rows that bring none."""
        try:
            given = self._request.decode(body)
            columns = self._columns(given.inputs)
        except msgspec.ValidationError as error:
            raise Invalid(f"the request does not follow the protocol: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"the request is not valid JSON: {error}") from None
        request_ids, event_times = columns.pop(REQUEST_ID, None), columns.pop(EVENT_TIME, None)
        rows = check_inputs(self._signature, columns)
        id_ = _identity(given.id)
        return InferRequest(
            id=id_,
            rows=rows,
            request_ids=_request_ids(id_, rows, request_ids),
            event_times=_event_times(now_us, rows, event_times),
            inputs=columns,
            outputs=self._wanted(given.outputs),
        )

    def encode(self, request: InferRequest, outputs: Tensors, *, model: str, version: str) -> bytes:
        """The response body. A number that is not finite becomes null: JSON has no word for it."""
        tensors: list[dict[str, object]] = [
            {
                "name": name,
                "shape": [request.rows],
                "datatype": self._outputs[name],
                "data": outputs[name].tolist(),
            }
            for name in request.outputs
        ]
        tensors.append(
            {
                "name": REQUEST_ID,
                "shape": [request.rows],
                "datatype": "BYTES",
                "data": request.request_ids,
            }
        )
        return msgspec.json.encode(
            {
                "id": request.id,
                "model_name": model,
                "model_version": version,
                "outputs": tensors,
            }
        )

    def _columns(self, tensors: list[_Tensor]) -> Tensors:
        columns: Tensors = {}
        for tensor in tensors:
            reader = self._readers.get(tensor.name)
            if reader is None:
                raise Invalid(f"the model has no input {tensor.name!r}", field=tensor.name)
            if tensor.name in columns:
                raise Invalid(f"the input {tensor.name!r} is given twice", field=tensor.name)
            columns[tensor.name] = reader.read(tensor)
        return columns

    def _wanted(self, outputs: list[_Output] | None) -> tuple[str, ...]:
        if not outputs:
            return tuple(self._outputs)
        names = dict.fromkeys(output.name for output in outputs)
        # It is in every response; asking for it is no error.
        names.pop(REQUEST_ID, None)
        for name in names:
            if name not in self._outputs:
                raise Invalid(
                    f"the model has no output {name!r}; it has {', '.join(self._outputs)}",
                    field=name,
                )
        return tuple(names)


def _identity(given: str | None) -> str:
    if given is None:
        return uuid4().hex
    if not 1 <= len(given) <= LONGEST_ID:
        raise Invalid(
            f"the id has {len(given)} characters; 1 to {LONGEST_ID} are wanted", field="id"
        )
    return given


def _request_ids(id_: str, rows: int, given: Array | None) -> list[str]:
    if given is None:
        return [id_] if rows == 1 else [f"{id_}/{row}" for row in range(rows)]
    ids: list[str] = given.tolist()
    _check_rows(REQUEST_ID, len(ids), rows)
    for row, value in enumerate(ids):
        if not 1 <= len(value) <= LONGEST_ID:
            raise Invalid(
                f"column {REQUEST_ID!r}, row {row}: {len(value)} characters; "
                f"1 to {LONGEST_ID} are wanted",
                field=REQUEST_ID,
            )
    if len(set(ids)) != rows:
        raise Invalid(f"column {REQUEST_ID!r} names a row twice", field=REQUEST_ID)
    return ids


def _event_times(now_us: int, rows: int, given: Array | None) -> list[int]:
    if given is None:
        return [now_us] * rows
    _check_rows(EVENT_TIME, len(given), rows)
    if given.min() < 0 or given.max() > LAST_MOMENT:
        row = int(((given < 0) | (given > LAST_MOMENT)).argmax())
        raise Invalid(
            f"column {EVENT_TIME!r}, row {row}: {given[row]} is no moment in microseconds UTC "
            "from 1970 to 9999",
            field=EVENT_TIME,
        )
    times: list[int] = given.tolist()
    return times


def _check_rows(name: str, found: int, rows: int) -> None:
    if found != rows:
        raise Invalid(f"column {name!r} has {found} rows; the inputs have {rows}", field=name)
