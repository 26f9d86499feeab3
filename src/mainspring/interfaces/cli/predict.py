"""`mainspring predict`: rows to a deployment, its answer back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import httpx2
import msgspec

from mainspring.core.errors import (
    Conflict,
    Invalid,
    MainspringError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from mainspring.deployment.contract import NameDeployment
from mainspring.deployment.contract import show as show_deployment
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.output import show_cells
from mainspring.interfaces.cli.requests import build
from mainspring.serving.reserved import REQUEST_ID, ids_of_rows

KINDS = {one.status: one for one in (Invalid, Unauthenticated, NotFound, TooLarge)}
TIMEOUT_S = 60.0


@click.command(cls=Command)
@click.argument("deployment")
@click.option(
    "-f", "--file", "source", required=True, type=click.Path(allow_dash=True, path_type=Path),
    help="JSON: an Open Inference Protocol request, or {column: [values]}; - for standard input.",
)  # fmt: skip
def predict(deployment: str, source: Path) -> None:
    """Send rows to a deployment, print its answer."""
    document = _read(source)
    with connected() as connection:
        named: NameDeployment = build(show_deployment, {"deployment": deployment})
        found = connection.client.call(show_deployment, named)
        token = chosen().token or connection.token or ""
    if found.url is None:
        raise Conflict(
            f"deployment {deployment!r} is {found.state}, nothing answers for it",
            [found.message] if found.message else [],
            fix=f"mainspring deploy show {deployment}",
        )
    path = f"/v2/models/{found.model}"
    with httpx2.Client(
        base_url=found.url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_S,
        trust_env=False,
    ) as http:
        if "inputs" not in document:
            document = as_request(document, _ask(http, "GET", path)["inputs"])
        answer = _ask(http, "POST", f"{path}/infer", document)
    if chosen().as_json:
        click.echo(msgspec.json.encode(answer).decode())
    else:
        outputs = answer["outputs"]
        columns = [_by_row(output) for output in outputs]
        names = [output["name"] for output in outputs]
        if names and (rows := len(columns[0])):
            names.append(REQUEST_ID)
            columns.append(_ids(document, answer["id"], rows))
        show_cells(names, list(zip(*columns, strict=True)))


def _ids(asked: dict[str, Any], request: str, rows: int) -> list[Any]:
    """The ids by which the truth about each row can be told."""
    for tensor in asked["inputs"]:
        if tensor.get("name") == REQUEST_ID:
            ids: list[Any] = tensor["data"]
            return ids
    return ids_of_rows(request, rows)


def _by_row(output: dict[str, Any]) -> list[Any]:
    """The values of an output, row by row; they come flat."""
    rows = output["shape"][0] if output["shape"] else 1
    data: list[Any] = output["data"]
    size = len(data) // max(rows, 1)
    return data if size == 1 else [data[row * size : (row + 1) * size] for row in range(rows)]


def _read(source: Path) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        found = msgspec.json.decode(raw)
    except OSError as error:
        raise Invalid(f"{source} cannot be read: {error.strerror}", field="file") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{source} is not JSON: {error}", field="file") from error
    if not isinstance(found, dict):
        raise Invalid(
            f"{source} holds a JSON {type(found).__name__}, wanted an object", field="file"
        )
    return found


def as_request(columns: dict[str, Any], inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Plain columns as a protocol request, typed as the model's own metadata says."""
    datatypes = {one["name"]: one["datatype"] for one in inputs}
    tensors = []
    for name, values in columns.items():
        if not isinstance(values, list):
            raise Invalid(f"column {name!r} is no list; wanted {{column: [values]}}", field=name)
        if name not in datatypes:
            raise Invalid(
                f"the model has no input {name!r}; it has {', '.join(datatypes)}", field=name
            )
        tensor = {"name": name, "datatype": datatypes[name], "shape": [len(values)]}
        tensors.append({**tensor, "data": values})
    return {"inputs": tensors}


def _ask(http: httpx2.Client, verb: str, path: str, document: Any = None) -> Any:
    body = b"" if document is None else msgspec.json.encode(document)
    try:
        answer = http.request(verb, path, content=body)
    except httpx2.TransportError as error:
        raise Unreachable(
            f"the deployment at {http.base_url} does not answer: {error}",
            fix="mainspring status shows whether it runs",
        ) from error
    if answer.status_code >= 400:
        raise _refusal(answer)
    return msgspec.json.decode(answer.content)


def _refusal(answer: httpx2.Response) -> MainspringError:
    """The protocol has one field for errors; the class comes from the status."""
    try:
        text = str(msgspec.json.decode(answer.content)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        text = f"the deployment answered {answer.status_code}"
    return KINDS.get(answer.status_code, Unavailable)(text)
