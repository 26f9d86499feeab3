"""The model repository extension, as far as a data plane that is told its models can go."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.serving.fleet import Fleet

TOLD = "what this data plane serves is decided by the stage that its deployment follows"
FIX = "move a version into the stage or out of it, or stop the deployment"


class _Index(msgspec.Struct):
    ready: bool = False
    """Only those that can be called; which all that are served can."""


class _Change(msgspec.Struct):
    parameters: dict[str, Any] | None = None


Asked = TypeVar("Asked", _Index, _Change)


def index(fleet: Fleet, body: bytes) -> list[dict[str, str]]:
    """Every version that is served; all are loaded and tried before any is listed."""
    _decode(body, _Index)
    return [
        {"name": source.name, "version": source.version, "state": "READY", "reason": ""}
        for source in fleet.snapshot.models
    ]


def change(fleet: Fleet, verb: str, name: str, body: bytes) -> dict[str, object]:
    """Load what is loaded already; everything else is refused with what to do instead."""
    asked = _decode(body, _Change)
    if name not in fleet.models:
        raise NotFound(
            f"no model named {name!r}; served are {', '.join(fleet.models)}, and {TOLD}", fix=FIX
        )
    if verb == "unload":
        raise Conflict(f"model {name!r} stays loaded: {TOLD}", fix=FIX)
    for parameter in asked.parameters or ():
        if parameter == "config" or parameter.startswith("file:"):
            raise Conflict(f"model {name!r} cannot be given another {parameter!r}: {TOLD}", fix=FIX)
    return {}


def _decode(body: bytes, kind: type[Asked]) -> Asked:
    if not body.strip():
        return kind()
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"the request does not follow the protocol: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the request is not valid JSON: {error}") from None
