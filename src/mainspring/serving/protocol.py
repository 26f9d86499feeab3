"""The Open Inference Protocol v2 over HTTP, JSON and binary: requests to tensors, tensors to answers."""

from __future__ import annotations

import msgspec
import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.tensor import DTYPES, Array, Tensors, told_as
from mainspring.engines.tensor import RESERVED as PLATFORM
from mainspring.serving.bodies import (
    LONGEST_NAME,
    Infer,
    TensorHead,
    binary_size,
    check_count,
    flag_of,
    is_binary,
    parted,
)
from mainspring.serving.columns import LENGTH, ColumnReader, to_bytes
from mainspring.serving.inference import RESERVED, About, InferRequest, Kind, assembled
from mainspring.serving.layouts import Layout, Layouts, Place
from mainspring.serving.numbers import PIECE, PIECE_VALUES, encoded
from mainspring.serving.reserved import REQUEST_ID

KNOWN_READERS = 256
"""An open model's tensors may have any name: no more readers than these are kept."""
LONGEST_TIMEOUT = 86_400_000_000


class Codec:
    """The protocol for one model, with its decoders made once."""

    def __init__(self, signature: Signature, rows: int | None = None, *, batching: bool) -> None:
        self.signature = signature
        self.is_open = not signature.inputs
        self._by_row = batching or not self.is_open
        self._fixed_rows = rows
        self._names = [column.name for column in signature.inputs]
        self._outputs = frozenset(column.name for column in signature.outputs)
        self._readers = {column.name: ColumnReader(column) for column in signature.inputs}
        self._readers |= {name: ColumnReader(column) for name, column in RESERVED.items()}
        self._open_readers: dict[tuple[str, str], ColumnReader] = {}
        self._varies = any(-1 in column.shape for column in signature.inputs)
        self._request = msgspec.json.Decoder(Infer)
        self._layouts = Layouts()

    def decode(self, body: bytes, about: About, header: int | None = None) -> InferRequest:
        """Check a request body.

        `header` is how much of the body is JSON, where the caller says so: tensors in binary
        follow it, and with 0 the body is the one column of the model.
        """
        if header == 0:
            return self._bare(body, about)
        head, tail = (body, None) if header is None else parted(body, header)
        layout = None if tail is None else self._layouts.find(head, tail)
        if layout is not None and tail is not None:
            return self._laid_out(layout, tail, about)
        given, columns = self._read(head, tail)
        about.id = given.id or None  # as over gRPC, which cannot tell the two apart
        if given.parameters and given.parameters.timeout is not msgspec.UNSET:
            about.timeout_us = timeout_of(given.parameters.timeout)
        outputs: tuple[str, ...] = ()
        if given.outputs:
            outputs = self.wanted([output.name for output in given.outputs])
        request = self.request(columns, about, outputs)
        if given.parameters or given.outputs:
            request.binary = self._binary(given)
        else:
            request.binary = NONE
        if tail is not None and about.id is None:
            self._learn(head, given, request)
        return request

    def _read(self, head: bytes, tail: bytes | None) -> tuple[Infer, Tensors]:
        try:
            if len(head) > PIECE:
                check_count(head)
            given = self._request.decode(head)
            return given, self._columns(given.inputs, tail)
        except msgspec.ValidationError as error:
            raise Invalid(f"the request does not follow the protocol: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"the request is not valid JSON: {error}") from None

    def _laid_out(self, layout: Layout, tail: bytes, about: About) -> InferRequest:
        """A request of which all but its values is known."""
        if layout.timeout_us is not None:
            about.timeout_us = layout.timeout_us
        columns = {
            place.name: place.reader.from_bytes(tail[place.start : place.end], place.shape)
            for place in layout.places
        }
        request = assembled(columns, layout.rows, about, layout.outputs, layout.kind)
        request.binary = layout.binary
        return request

    def _learn(self, head: bytes, given: Infer, request: InferRequest) -> None:
        places: list[Place] = []
        end = 0
        for tensor in given.inputs:
            start, size = end, tensor.parameters and tensor.parameters.binary_data_size
            if not isinstance(size, int):
                return
            end = start + size
            reader = self.reader(tensor.name, tensor.datatype)
            places.append(Place(tensor.name, reader, tuple(tensor.shape), start, end))
        timeout = given.parameters.timeout if given.parameters else msgspec.UNSET
        timeout_us = None if timeout is msgspec.UNSET else timeout_of(timeout)
        layout = Layout(
            places=tuple(places),
            size=end,
            rows=request.rows,
            kind=request.kind,
            timeout_us=timeout_us,
            outputs=request.outputs,
            binary=request.binary,
        )
        self._layouts.learn(head, layout)

    def request(
        self, columns: Tensors, about: About, outputs: tuple[str, ...] = ()
    ) -> InferRequest:
        """Tensors as a request, once they fit the model; without `outputs` all are wanted."""
        kind: Kind | None = None
        rows = self._open_rows(columns) if self.is_open else self._rows(columns)
        if self.is_open or self._varies:
            kind = tuple(
                (name, told_as(values), values.shape[1:]) for name, values in columns.items()
            )
        if self._fixed_rows is not None and rows != self._fixed_rows:
            raise Invalid(f"the inputs have {rows} rows; the model takes {self._fixed_rows}")
        return assembled(columns, rows, about, outputs, kind)

    def encode(
        self, request: InferRequest, outputs: Tensors, *, model: str, version: str
    ) -> tuple[bytes, int | None]:
        """The response body, and how much of it is JSON where bytes follow.

        In JSON a number that is not finite becomes null: JSON has no word for it.
        """
        tail: list[bytes] = []
        names = chosen(request, outputs)
        if REQUEST_ID in names:
            outputs = {**outputs, REQUEST_ID: np.array(request.ids(), dtype=object)}
        tensors = [_tensor(request.binary, name, outputs[name], tail) for name in names]
        head = msgspec.json.encode(
            {
                "id": request.id,
                "model_name": model,
                "model_version": version,
                "outputs": tensors,
            }
        )
        return (head + b"".join(tail), len(head)) if tail else (head, None)

    def reader(self, name: str, datatype: str = "") -> ColumnReader:
        """What reads the input of that name."""
        reader = self._readers.get(name)
        if reader is not None:
            return reader
        if not self.is_open:
            raise Invalid(f"the model has no input {name!r}", field=name)
        reader = self._open_readers.get((name, datatype))
        if reader is None:
            if name.startswith(PLATFORM):
                raise Invalid(
                    f"the input {name!r} has a name of the platform's; known are "
                    f"{', '.join(RESERVED)}",
                    field=name,
                )
            if not name or datatype not in DTYPES:
                raise Invalid(
                    f"input {name!r} has the datatype {datatype!r}; known are {', '.join(DTYPES)}",
                    field=name,
                )
            reader = ColumnReader(Column(name=name, datatype=datatype), declared=False)
            if len(self._open_readers) < KNOWN_READERS and len(name) <= LONGEST_NAME:
                self._open_readers[name, datatype] = reader
        return reader

    def wanted(self, names: list[str]) -> tuple[str, ...]:
        """The outputs asked for, each once; an open model shows later what it gives."""
        found = tuple(dict.fromkeys(names))
        for name in found if self._outputs else ():
            if name not in self._outputs and name != REQUEST_ID:
                raise _no_output(name, self._outputs)
        return found

    def _columns(self, tensors: list[TensorHead], tail: bytes | None) -> Tensors:
        columns: Tensors = {}
        start = 0
        for index, tensor in enumerate(tensors):
            reader = self._readers.get(tensor.name) or self.reader(tensor.name, tensor.datatype)
            if tensor.name in columns:
                raise Invalid(f"the input {tensor.name!r} is given twice", field=tensor.name)
            shape = reader.check(tensor.datatype, tensor.shape)
            size = binary_size(tensor, tail, start) if tensor.parameters else None
            if size is not None and tail is not None:
                columns[tensor.name] = reader.from_bytes(tail[start : start + size], shape)
                start += size
            elif tensor.data is not msgspec.UNSET:
                columns[tensor.name] = reader.from_json(tensor.data, shape)
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

    def _rows(self, columns: Tensors) -> int:
        """How many rows there are, once every input is there with as many; readers did the rest."""
        rows = 0
        for name in self._names:
            values = columns.get(name)
            if values is None:
                raise Invalid(f"the input column {name!r} is missing", field=name)
            if not rows:
                rows = len(values)
            elif len(values) != rows:
                raise Invalid(
                    f"column {name!r} has {len(values)} rows; the first column has {rows}",
                    field=name,
                )
        return rows

    def _open_rows(self, columns: Tensors) -> int:
        """How many rows an open model's tensors have; 1 where it is not called row by row."""
        if not any(name not in RESERVED for name in columns):
            raise Invalid("the request has no inputs", field="inputs")
        if not self._by_row:
            return 1
        sizes = {
            name: values.shape[0] if values.ndim else 0
            for name, values in columns.items()
            if name not in RESERVED
        }
        first, rows = next(iter(sizes.items()))
        for name, size in sizes.items():
            if size != rows or not size:
                raise Invalid(
                    f"input {name!r} has {size} rows; {first!r} has {rows}, and all need as many, "
                    "from 1 on",
                    field=name,
                )
        return rows

    def _bare(self, body: bytes, about: About) -> InferRequest:
        """A body that is nothing but the values of the only column."""
        if len(self.signature.inputs) != 1:
            raise Invalid(
                f"the model has {len(self.signature.inputs)} inputs; a body without JSON can "
                "give one",
                fix="put a JSON object in front, and its length in Inference-Header-Content-Length",
            )
        column = self.signature.inputs[0]
        reader = self._readers[column.name]
        if column.datatype == "BYTES":
            # One text, whose length is the body's.
            shape = reader.check("BYTES", [1, *(1 for _ in column.shape)])
            values = reader.from_bytes(LENGTH.pack(len(body)) + body, shape)
        else:
            values = reader.from_bytes(body, reader.shape_in(body))
        return self.request({column.name: values}, about)

    def _binary(self, given: Infer) -> frozenset[str] | None:
        """The names of the outputs that are wanted as bytes; None is all."""
        default = False
        if given.parameters:
            default = flag_of("binary_data_output", given.parameters.binary_data_output)
        if not given.outputs:
            return None if default else NONE
        if not default and all(output.parameters is None for output in given.outputs):
            return NONE
        return frozenset(
            output.name for output in given.outputs if is_binary(output, default=default)
        )


NONE: frozenset[str] = frozenset()


def chosen(request: InferRequest, outputs: Tensors) -> tuple[str, ...]:
    """The names of the outputs that the caller is answered; the ids of the rows may be one."""
    for name in request.outputs:
        if name not in outputs and name != REQUEST_ID:
            raise _no_output(name, frozenset(outputs))
    return request.outputs or tuple(outputs)


def timeout_of(value: object) -> int:
    """The request parameter `timeout`, in microseconds."""
    if type(value) is not int or not 0 < value <= LONGEST_TIMEOUT:
        raise Invalid(
            f"the parameter 'timeout' is {value!r}; microseconds from 1 to {LONGEST_TIMEOUT} are "
            "wanted",
            field="timeout",
        )
    return value


def as_texts(name: str, values: Array) -> list[str | None]:
    """The elements of a text output as JSON can hold them."""
    texts: list[str | None] = []
    for value in values.ravel().tolist():
        if isinstance(value, bytes):
            try:
                texts.append(value.decode())
            except UnicodeDecodeError:
                raise Invalid(
                    f"output {name!r} holds bytes that are no UTF-8 text",
                    field=name,
                    fix='ask for it in binary: "parameters": {"binary_data": true}',
                ) from None
        else:
            texts.append(value if value is None or isinstance(value, str) else str(value))
    return texts


def _tensor(
    binary: frozenset[str] | None, name: str, values: Array, tail: list[bytes]
) -> dict[str, object]:
    datatype = told_as(values)
    tensor: dict[str, object] = {"name": name, "shape": values.shape, "datatype": datatype}
    if binary is None or name in binary:
        raw = to_bytes(values)
        tail.append(raw)
        tensor["parameters"] = {"binary_data_size": len(raw)}
    elif datatype == "BYTES":
        tensor["data"] = as_texts(name, values)
    else:
        flat = values if values.ndim == 1 else values.ravel()
        tensor["data"] = flat.tolist() if len(flat) <= PIECE_VALUES else encoded(flat)
    return tensor


def _no_output(name: str, known: frozenset[str]) -> Invalid:
    return Invalid(
        f"the model has no output {name!r}; it has {', '.join(sorted(known))}", field=name
    )
