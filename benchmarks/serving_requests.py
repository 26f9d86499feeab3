"""The same rows as each server wants them, and whether what it answers is what the estimator says.

Part of serving.py.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.serving_load import body_of

MODEL = "tumour"
DIFFERENT = 16
"""How many requests are made, so that no server can answer from memory of one."""
TOLERANCE = 1e-4
DTYPES = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}
HEADER_LENGTH = "inference-header-content-length"

Form = Literal["json", "binary", "grpc"]
Matrix = npt.NDArray[np.float64]
Metadata = dict[str, Any]


class WrongAnswer(Exception):
    """A server answers other numbers than the estimator."""


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of the data, and the probabilities of both classes for each."""

    rows: Matrix
    probabilities: Matrix

    @classmethod
    def read(cls, path: Path) -> Table:
        """What serving_model.py wrote."""
        found = json.loads(path.read_text())
        return cls(np.array(found["rows"]), np.array(found["probabilities"]))

    def block(self, number: int, rows: int) -> tuple[Matrix, Matrix]:
        """The rows of one request, and what is to be answered."""
        chosen = np.arange(number * rows, (number + 1) * rows) % len(self.rows)
        return self.rows[chosen], self.probabilities[chosen]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input of a request: some of the columns."""

    name: str
    datatype: str
    values: Matrix
    shape: list[int]

    def raw(self) -> bytes:
        """Its values as bytes."""
        return self.values.astype(DTYPES[self.datatype]).tobytes()

    def described(self) -> dict[str, Any]:
        """What both JSON and binary requests say of it."""
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape}


def tensors(metadata: Metadata, rows: Matrix) -> list[Tensor]:
    """The rows as the inputs that a model's metadata declares: one matrix, or one input a column.

    A model that declares none (MLServer's scikit-learn runtime) is sent one matrix.
    """
    inputs = metadata["inputs"] or [{"name": "predict", "datatype": "FP32", "shape": [-1, -1]}]
    if len(inputs) == 1:
        one = inputs[0]
        return [Tensor(one["name"], one["datatype"], rows, list(rows.shape))]
    if len(inputs) != rows.shape[1]:
        raise WrongAnswer(f"{len(inputs)} inputs are declared; 1 or {rows.shape[1]} are wanted")
    return [
        Tensor(one["name"], one["datatype"], rows[:, at], [len(rows), 1][: len(one["shape"])])
        for at, one in enumerate(inputs)
    ]


def wanted_outputs(metadata: Metadata) -> list[str]:
    """The output that holds the probabilities; none where the metadata does not tell."""
    if not metadata["inputs"] and not metadata["outputs"]:
        return ["predict_proba"]  # how MLServer's scikit-learn runtime calls it
    numeric = [one for one in metadata["outputs"] if one["datatype"] in ("FP32", "FP64")]
    return [one["name"] for one in numeric if one["shape"][-1] == 2][:1]


def oip_body(metadata: Metadata, rows: Matrix, form: Form) -> tuple[bytes, dict[str, str]]:
    """The body of a request of the Open Inference Protocol, and its own headers."""
    outputs: list[dict[str, Any]] = [{"name": name} for name in wanted_outputs(metadata)]
    inputs = tensors(metadata, rows)
    if form == "json":
        body: dict[str, Any] = {
            "inputs": [{**one.described(), "data": one.values.ravel().tolist()} for one in inputs]
        }
        if outputs:
            body["outputs"] = outputs
        return json.dumps(body, separators=(",", ":")).encode(), {
            "Content-Type": "application/json"
        }
    raw = [one.raw() for one in inputs]
    described = [
        {**one.described(), "parameters": {"binary_data_size": len(bytes_)}}
        for one, bytes_ in zip(inputs, raw, strict=True)
    ]
    body = {"inputs": described, "parameters": {"binary_data_output": True}}
    if outputs:
        body["outputs"] = [{**one, "parameters": {"binary_data": True}} for one in outputs]
    head = json.dumps(body, separators=(",", ":")).encode()
    return head + b"".join(raw), {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }


def bento_body(rows: Matrix) -> tuple[bytes, dict[str, str]]:
    """The body of a request to our BentoML service."""
    body = json.dumps({"rows": rows.tolist()}, separators=(",", ":"))
    return body.encode(), {"Content-Type": "application/json"}


def http_request(path: str, body: bytes, headers: dict[str, str], token: str | None) -> bytes:
    """A whole request, as it goes over the connection."""
    given = {"Host": "127.0.0.1", **headers, "Content-Length": str(len(body))}
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def grpc_inputs(metadata: Metadata, rows: Matrix) -> list[dict[str, Any]]:
    """The inputs of a gRPC request, as serving_grpc.py reads them."""
    return [
        {**one.described(), "raw": base64.b64encode(one.raw()).decode()}
        for one in tensors(metadata, rows)
    ]


def numbers_of(answer: bytes) -> list[Matrix]:
    """The numeric outputs of an HTTP answer, flat, in whatever form they came."""
    headers, body = body_of(answer)
    size = headers.get(HEADER_LENGTH)
    found = json.loads(body[: int(size)] if size else body)
    if isinstance(found, list):
        return [np.array(found, dtype=np.float64).ravel()]
    tail = body[int(size) :] if size else b""
    numbers = []
    for output in found["outputs"]:
        length = output.get("parameters", {}).get("binary_data_size")
        raw, tail = (tail[:length], tail[length:]) if length is not None else (b"", tail)
        if output["datatype"] not in DTYPES:
            continue
        data = np.frombuffer(raw, DTYPES[output["datatype"]]) if raw else output["data"]
        numbers.append(np.asarray(data, dtype=np.float64).ravel())
    return numbers


def check(numbers: list[Matrix], expected: Matrix) -> None:
    """Raise if no output holds the estimator's probabilities (of both classes, or of the second)."""
    for found in numbers:
        for wanted in (expected.ravel(), expected[:, 1]):
            if found.shape == wanted.shape and np.allclose(found, wanted, atol=TOLERANCE):
                return
    raise WrongAnswer(
        f"the estimator says {expected[:2].tolist()} ..., the server {numbers!r:.500}"
    )
