"""The forms in which a prediction can be asked for over HTTP: how each is read, and answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mainspring.engines.tensor import Tensors
from mainspring.serving import invocations, rows
from mainspring.serving.fleet import ServedModel
from mainspring.serving.http import HEADER_LENGTH, OCTETS, Reply, Request
from mainspring.serving.inference import About, InferRequest


@dataclass(frozen=True, slots=True)
class Dialect:
    """One form; both of its functions may be called from any thread."""

    decode: Callable[[ServedModel, Request, bytes, About], InferRequest]
    """The checked request, by the model, the head and the plain body."""
    encode: Callable[[ServedModel, InferRequest, Tensors], Reply]


def _infer(served: ServedModel, request: Request, body: bytes, about: About) -> InferRequest:
    return served.codec.decode(body, about, request.json_length())


def _inferred(served: ServedModel, call: InferRequest, outputs: Tensors) -> Reply:
    source = served.source
    body, header = served.codec.encode(call, outputs, model=source.name, version=source.version)
    if header is None:
        return Reply(200, body)
    return Reply(200, body, OCTETS, [(HEADER_LENGTH, str(header).encode())])


def _rows(served: ServedModel, _request: Request, body: bytes, about: About) -> InferRequest:
    return rows.decode(served.codec, body, about)


def _rows_answered(served: ServedModel, call: InferRequest, outputs: Tensors) -> Reply:
    source = served.source
    return Reply(200, rows.encode(call, outputs, model=source.name, version=source.version))


def _invoke(served: ServedModel, request: Request, body: bytes, about: About) -> InferRequest:
    content_type = (request.header(b"content-type") or b"").decode("latin-1")
    return invocations.decode(served.codec, body, content_type, about)


def _invoked(_served: ServedModel, call: InferRequest, outputs: Tensors) -> Reply:
    return Reply(200, invocations.encode(call, outputs))


OPEN_INFERENCE = Dialect(_infer, _inferred)
ROWS = Dialect(_rows, _rows_answered)
INVOCATIONS = Dialect(_invoke, _invoked)
