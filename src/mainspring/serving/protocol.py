"""The Open Inference Protocol v2, JSON and binary: requests to columns, columns to responses."""

from __future__ import annotations

from dataclasses import dataclass
from os import urandom
from typing import Any

import msgspec
import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.tensor import Array, Tensors, check_inputs
from mainspring.serving.columns import LENGTH, ColumnReader, to_bytes

REQUEST_ID = "mainspring.request_id"
EVENT_TIME = "mainspring.event_time"
RESERVED = {
    REQUEST_ID: Column(name=REQUEST_ID, datatype="BYTES"),
    EVENT_TIME: Column(name=EVENT_TIME, datatype="INT64"),
}
LONGEST_ID = 200
LAST_MOMENT = 253_402_300_799_999_999  # the end of the year 9999


class _Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


class _Output(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: dict[str, Any] | None = None


class _Infer(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Tensor]
    model_name: str | None = None
    """The path decides; some senders say it again here."""
    model_version: str | None = None
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
    binary: frozenset[str] = frozenset()
    """Those of the outputs, and the request ids, that the caller wants as bytes."""


class Codec:
    """The protocol for one signature, with its decoders made once."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._outputs: dict[str, Datatype] = {
            column.name: column.datatype for column in signature.outputs
        }
        self._answered: dict[str, Datatype] = {**self._outputs, REQUEST_ID: "BYTES"}
        self._readers = {column.name: ColumnReader(column) for column in signature.inputs}
        self._readers |= {name: ColumnReader(column) for name, column in RESERVED.items()}
        self._request = msgspec.json.Decoder(_Infer)

    def decode(self, body: bytes, now_us: int, header: int | None = None) -> InferRequest:
        """Check a request body; `now_us` is the event time of rows that bring none.

        `header` is how much of the body is JSON, where the caller says so: tensors in binary
        follow it, and with 0 the body is the one column of the model.
        """
        if header == 0:
            return self._bare(body, now_us)
        head, tail = (body, None) if header is None else _parted(body, header)
        try:
            given = self._request.decode(head)
            columns = self._columns(given.inputs, tail)
        except msgspec.ValidationError as error:
            raise Invalid(f"the request does not follow the protocol: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"the request is not valid JSON: {error}") from None
        return self.request(
            columns,
            now_us,
            id_=given.id,
            outputs=self._wanted(given.outputs),
            binary=self._binary(given),
        )

    def request(
        self,
        columns: Tensors,
        now_us: int,
        *,
        id_: str | None = None,
        outputs: tuple[str, ...] | None = None,
        binary: frozenset[str] = frozenset(),
    ) -> InferRequest:
        """Columns as a request, once they fit the signature; without `outputs` all are wanted."""
        request_ids, event_times = columns.pop(REQUEST_ID, None), columns.pop(EVENT_TIME, None)
        rows = check_inputs(self.signature, columns)
        identity = _identity(id_)
        return InferRequest(
            id=identity,
            rows=rows,
            request_ids=_request_ids(identity, rows, request_ids),
            event_times=_event_times(now_us, rows, event_times),
            inputs=columns,
            outputs=tuple(self._outputs) if outputs is None else outputs,
            binary=binary,
        )

    def encode(
        self, request: InferRequest, outputs: Tensors, *, model: str, version: str
    ) -> tuple[bytes, int | None]:
        """The response body, and how much of it is JSON where bytes follow.

        In JSON a number that is not finite becomes null: JSON has no word for it.
        """
        tail: list[bytes] = []
        tensors = [self._tensor(request, name, outputs[name], tail) for name in request.outputs]
        ids: Array | list[str] = request.request_ids
        tensors.append(self._tensor(request, REQUEST_ID, ids, tail))
        head = msgspec.json.encode(
            {
                "id": request.id,
                "model_name": model,
                "model_version": version,
                "outputs": tensors,
            }
        )
        return (head + b"".join(tail), len(head)) if tail else (head, None)

    def reader(self, name: str) -> ColumnReader:
        """What reads the input of that name."""
        reader = self._readers.get(name)
        if reader is None:
            raise Invalid(f"the model has no input {name!r}", field=name)
        return reader

    def _tensor(
        self, request: InferRequest, name: str, values: Array | list[str], tail: list[bytes]
    ) -> dict[str, object]:
        datatype = self._answered[name]
        tensor: dict[str, object] = {
            "name": name,
            "shape": [request.rows],
            "datatype": datatype,
        }
        if name in request.binary:
            raw = to_bytes(
                datatype, np.asarray(values, dtype=object if datatype == "BYTES" else None)
            )
            tail.append(raw)
            tensor["parameters"] = {"binary_data_size": len(raw)}
        else:
            tensor["data"] = values if isinstance(values, list) else values.tolist()
        return tensor

    def _columns(self, tensors: list[_Tensor], tail: bytes | None) -> Tensors:
        columns: Tensors = {}
        start = 0
        for index, tensor in enumerate(tensors):
            reader = self._readers.get(tensor.name) or self.reader(tensor.name)
            if tensor.name in columns:
                raise Invalid(f"the input {tensor.name!r} is given twice", field=tensor.name)
            rows = reader.check(tensor.datatype, tensor.shape)
            size = _binary_size(tensor, tail, start) if tensor.parameters else None
            if size is not None and tail is not None:
                columns[tensor.name] = reader.from_bytes(tail[start : start + size], rows)
                start += size
            elif tensor.data is not msgspec.UNSET:
                columns[tensor.name] = reader.from_json(tensor.data, tensor.shape)
            else:
                raise Invalid(
                    "the request does not follow the protocol: Object missing required field "
                    f"`data` - at `$.inputs[{index}]`",
                    field=tensor.name,
                )
        if tail is not None and start != len(tail):
            raise Invalid(
                f"{len(tail)} bytes follow the JSON; the inputs' binary_data_size add up to {start}"
            )
        return columns

    def _bare(self, body: bytes, now_us: int) -> InferRequest:
        """A body that is nothing but the values of the only column."""
        if len(self.signature.inputs) != 1:
            raise Invalid(
                f"the model has {len(self.signature.inputs)} inputs; a body without JSON can "
                "give one",
                fix="put a JSON object in front, and its length in Inference-Header-Content-Length",
            )
        reader = self._readers[self.signature.inputs[0].name]
        if reader.column.datatype == "BYTES":
            # One text, whose length is the body's.
            values = reader.from_bytes(LENGTH.pack(len(body)) + body, 1)
        else:
            values = reader.from_bytes(body, reader.rows_in(body))
        return self.request({reader.column.name: values}, now_us, binary=frozenset(self._answered))

    def _binary(self, given: _Infer) -> frozenset[str]:
        """The names of the outputs that are wanted as bytes."""
        default = _flag(given.parameters, "binary_data_output", default=False)
        names = set(self._answered) if default else set()
        for output in given.outputs or ():
            if _flag(output.parameters, "binary_data", default=default):
                names.add(output.name)
            else:
                names.discard(output.name)
        return frozenset(names)

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


def _parted(body: bytes, header: int) -> tuple[bytes, bytes]:
    if header > len(body):
        raise Invalid(
            f"Inference-Header-Content-Length is {header}, but the body has {len(body)} bytes"
        )
    return body[:header], body[header:]


def _binary_size(tensor: _Tensor, tail: bytes | None, start: int) -> int | None:
    """How many bytes of the tail are this tensor's; None if its values are in the JSON."""
    size = tensor.parameters.get("binary_data_size") if tensor.parameters else None
    if size is None:
        return None
    name = tensor.name
    if type(size) is not int or size < 0:
        raise Invalid(f"input {name!r}: binary_data_size is {size!r}, not a number of bytes")
    if tensor.data is not msgspec.UNSET:
        raise Invalid(f"input {name!r} has data and a binary_data_size; one is wanted", field=name)
    if tail is None:
        raise Invalid(
            f"input {name!r} is binary, but nothing says where the JSON ends",
            field=name,
            fix="send the length of the JSON as the header Inference-Header-Content-Length",
        )
    if start + size > len(tail):
        raise Invalid(
            f"input {name!r} has a binary_data_size of {size}; {len(tail) - start} bytes are left",
            field=name,
        )
    return size


def _flag(parameters: dict[str, Any] | None, name: str, *, default: bool) -> bool:
    flag = parameters.get(name, default) if parameters else default
    if not isinstance(flag, bool):
        raise Invalid(f"the parameter {name!r} is {flag!r}; true or false is wanted", field=name)
    return flag


def _identity(given: str | None) -> str:
    if given is None:
        return urandom(16).hex()
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
