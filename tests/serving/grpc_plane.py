"""A data plane that listens for gRPC too, and messages for it as any client makes them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from . import python_models
from .data_plane import PATIENCE, PREDICT, Plane, free_port, row, served

TOKEN = tuple(PREDICT.items())
FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
FORMATS = {
    "BOOL": "?",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "INT8": "i1",
    "UINT8": "u1",
} | {
    f"{'' if sign == 'i' else 'U'}INT{8 * size}": f"<{sign}{size}"
    for sign in "iu"
    for size in (2, 4, 8)
}
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
Message = Any


class GrpcPlane(Plane):
    """`stub` calls it; a token is sent only where a call is given one."""

    def __init__(self, folder: Path, models: list[dict[str, str]], **changes: Any) -> None:
        self.grpc_port = free_port()
        self.access_log = folder / "access.jsonl"
        super().__init__(
            folder,
            models,
            grpc_port=self.grpc_port,
            access_log=str(self.access_log),
            **changes,
        )

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @contextmanager
    def calling(self, port: int | None = None) -> Iterator[Any]:
        """A stub on a connection of its own."""
        place = f"127.0.0.1:{port or self.grpc_port}"
        with grpc.insecure_channel(place, options=OWN_CONNECTION) as channel:
            yield service_pb2_grpc.GRPCInferenceServiceStub(channel)

    def ask(self, message: Message, **options: Any) -> Message:
        """ModelInfer, with the token."""
        with self.calling() as stub:
            return stub.ModelInfer(message, **{"metadata": TOKEN, "timeout": PATIENCE, **options})


class Relay:
    """Passes one connection on to a port, and counts the bytes that come back."""

    def __init__(self, port: int) -> None:
        self._onward = socket.create_connection(("127.0.0.1", port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.bytes_back = 0
        self._threads = [threading.Thread(target=self._forth)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()
        self._onward.close()

    def _forth(self) -> None:
        caller, _ = self._listener.accept()
        back = threading.Thread(target=self._back, args=(caller,))
        self._threads.append(back)
        back.start()
        while data := caller.recv(65536):
            self._onward.sendall(data)
        self._onward.shutdown(socket.SHUT_WR)

    def _back(self, caller: socket.socket) -> None:
        with caller:
            while data := self._onward.recv(65536):
                self.bytes_back += len(data)
                with contextlib.suppress(OSError):
                    caller.sendall(data)


def model(name: str) -> dict[str, str]:
    """One of the models in Python."""
    return served(f"{python_models.__name__}:{name}", name=name.lower())


def raw(datatype: str, values: list[Any]) -> bytes:
    """The values as raw contents."""
    if datatype != "BYTES":
        return np.array(values, dtype=FORMATS[datatype]).tobytes()
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


def tensor(name: str, datatype: str, values: list[Any], shape: list[int] | None = None) -> Message:
    """An input with typed contents."""
    contents = {FIELDS[datatype]: values} if values else {}
    return service_pb2.ModelInferRequest.InferInputTensor(
        name=name, datatype=datatype, shape=shape or [len(values)], contents=contents
    )


def request(model_name: str, *tensors: Message, **fields: Any) -> Message:
    """A ModelInferRequest."""
    return service_pb2.ModelInferRequest(model_name=model_name, inputs=tensors, **fields)


def as_raw(typed: Message) -> Message:
    """The same request with raw contents."""
    message = service_pb2.ModelInferRequest()
    message.CopyFrom(typed)
    for each in message.inputs:
        values = list(getattr(each.contents, FIELDS[each.datatype]))
        message.raw_input_contents.append(raw(each.datatype, values))
        each.ClearField("contents")
    return message


def patient(count: int = 1, **fields: Any) -> Message:
    """A good request for the model `tumour`, typed; the same as `row`."""
    tensors = []
    for column in row(count)["inputs"]:
        values = column["data"]
        if column["datatype"] == "BYTES":
            values = [value.encode() for value in values]
        tensors.append(tensor(column["name"], column["datatype"], values))
    return request("tumour", *tensors, **fields)


def number(model_name: str, *values: float, **fields: Any) -> Message:
    """A request for one of the models in Python that take `x`."""
    return request(model_name, tensor("x", "FP64", list(values)), **fields)


def parameter(**choice: Any) -> Message:
    """The value of a parameter."""
    return service_pb2.InferParameter(**choice)
