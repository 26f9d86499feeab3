"""An operation is declared once; route, OpenAPI, CLI command and permission are read off it."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from mainspring.core.errors import Invalid

Q = TypeVar("Q")
R = TypeVar("R")
Item = TypeVar("Item")

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be asked; unknown fields are refused at every level."""


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """Some items, and the token of the page after them if there is one."""

    items: list[Item]
    next: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an operation that has nothing to tell but how many things it touched."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Operation(Generic[Q, R]):
    """One thing that can be asked of Mainspring."""

    name: str
    """`noun.verb`: also the CLI command `mainspring noun verb`."""
    verb: Verb
    path: str
    """Below the workspace (or below /api/v1 for scope `system`); `{field}` takes a request field."""
    request: type[Q]
    response: type[R]
    allow: str = field(kw_only=True)
    """The permission verb that the actor needs, see core/access.py."""
    summary: str = field(kw_only=True)
    scope: Literal["workspace", "system"] = field(default="workspace", kw_only=True)
    decision: bool = field(default=False, kw_only=True)
    """Whether the acknowledged change must survive power loss (synchronous=FULL)."""
    repeatable: bool = field(default=False, kw_only=True)
    """Whether sending it again changes nothing by its own keys; others are kept by request id."""
    secret: bool = field(default=False, kw_only=True)
    """Whether it is about a secret, and so nothing of it is kept for a client that retries."""
    together: bool = field(default=False, kw_only=True)
    """Whether it only adds data, so that many requests may share one commit."""
    inside: bool = field(default=False, kw_only=True)
    """Whether only Mainspring asks for it, on the way of another request: it has no route."""

    names: tuple[str, ...] = field(default=(), kw_only=True)
    """Fields that name a model or deployment beside those that are called so."""
    filtered: bool = field(default=False, kw_only=True)
    """Whether the answer holds what fits the patterns of the caller's token alone."""

    @property
    def naming(self) -> tuple[str, ...]:
        """The request fields that name a model or deployment."""
        called = (one for one in self.request.__struct_fields__ if one in ("model", "deployment"))  # type: ignore[attr-defined]
        return (*called, *self.names)

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.verb == "GET"

    @property
    def path_fields(self) -> list[str]:
        """The request fields that stand in the path."""
        return re.findall(r"{(\w+)}", self.path)


class Client(Protocol):
    """Performs operations: in this process, or on a server. Same types, same errors."""

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation as the client's actor, in the client's workspace."""
        ...


class FileClient(Client, Protocol):
    """A client that also moves files, by their digest."""

    def upload(self, digest: str, path: Path) -> None:
        """Store a file's bytes and name them in the workspace."""
        ...

    def download(self, digest: str) -> Iterator[bytes]:
        """The bytes of a file of the workspace."""
        ...


def operations_in(*modules: ModuleType) -> Iterator[Operation[Any, Any]]:
    """The operations that the modules declare, in the order of their names."""
    found = [
        value
        for module in modules
        for _, value in inspect.getmembers(module, lambda member: isinstance(member, Operation))
    ]
    return iter(sorted(found, key=lambda operation: operation.name))


def decode_fields(
    operation: Operation[Q, Any],
    texts: Mapping[str, list[str]],
    body: Mapping[str, object],
) -> Q:
    """Build the request from path and query texts and the JSON body, refusing what is unknown."""
    request: Any = operation.request
    types = {item.name: item.type for item in msgspec.structs.fields(request)}
    fields: dict[str, object] = {}
    for name, values in texts.items():
        if name not in types:
            raise unknown_field(name, types)
        fields[name] = _from_texts(name, values, types[name])
    for name, value in body.items():
        if name in operation.path_fields:
            raise Invalid(f"{name!r} stands in the path and not in the body", field=name)
        if name not in types:
            raise unknown_field(name, types)
        fields[name] = value
    return checked(operation, fields)


def checked(operation: Operation[Q, Any], fields: Mapping[str, object]) -> Q:
    """Build the request from plain fields, refusing what breaks a rule of its type."""
    try:
        return msgspec.convert(fields, operation.request)
    except msgspec.ValidationError as error:
        raise explained(error) from error


def unknown_field(name: str, known: Iterable[str]) -> Invalid:
    """The error for a field that no request of this kind has."""
    return Invalid(
        f"unknown field {name!r}; known fields: {', '.join(sorted(known)) or 'none'}", field=name
    )


def _from_texts(name: str, values: list[str], kind: Any) -> object:
    try:
        if _is_list(kind):
            return msgspec.convert(values, kind, strict=False)
        if len(values) > 1:
            raise Invalid(f"{name!r} was given {len(values)} times, wanted once", field=name)
        return _from_text(values[0], kind)
    except msgspec.ValidationError as error:
        raise explained(error, name) from error


def _from_text(text: str, kind: Any) -> object:
    try:
        # As text first: where text is wanted, `null` and `true` are words like any other.
        return msgspec.convert(text, kind)
    except msgspec.ValidationError:
        if text.lower() == "null":
            raise
        found: object = msgspec.convert(text, kind, strict=False)
    if isinstance(found, dt.datetime):
        # ISO 8601 was read above: what is left is a number, which the contract does not take.
        raise msgspec.ValidationError(f"{text!r} is no time, wanted ISO 8601")
    return found


def _is_list(kind: Any) -> bool:
    origin = getattr(kind, "__origin__", None)
    if origin in (list, tuple):
        return True
    return any(_is_list(part) for part in getattr(kind, "__args__", ()))


def explained(error: Exception, name: str | None = None) -> Invalid:
    """Turn a decoding error into one that names the field."""
    text = str(error)
    place = re.search(r"`\$\.?([^`]*)`", text)
    inner = re.search(r"field `([^`]+)`", text)
    parts = [found.group(1) for found in (place, inner) if found is not None and found.group(1)]
    field_name = name or ".".join(parts) or "body"
    if inner is not None and "missing required field" in text:
        return Invalid(f"{field_name} is missing and has to be given", field=field_name)
    return Invalid(f"{field_name}: {text}", field=field_name)
