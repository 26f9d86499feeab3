"""The model repository extension: what is served, and loading and unloading it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.engines.source import digest_of
from mainspring.serving.fleet import Fleet
from mainspring.serving.snapshot import Snapshot, Source, read_snapshot

TOLD = "what this data plane serves is decided by the stage that its deployment follows"
FIX = "move a version into the stage or out of it, or stop the deployment"


class _Index(msgspec.Struct):
    ready: bool = False
    """Only those that can be called."""


class Change(msgspec.Struct):
    """What a caller adds to loading or unloading a model."""

    parameters: dict[str, Any] | None = None


Asked = TypeVar("Asked", _Index, Change)


def index(fleet: Fleet, body: bytes) -> list[dict[str, str]]:
    """Every version that is known: all that are loaded have been tried before they are listed."""
    return listed(fleet, only_ready=_decode(body, _Index).ready)


def listed(fleet: Fleet, *, only_ready: bool) -> list[dict[str, str]]:
    """The versions with their states."""
    return [
        {
            "name": source.name,
            "version": source.version,
            "state": "READY" if source.loaded else "UNAVAILABLE",
            "reason": "" if source.loaded else "unloaded",
        }
        for source in fleet.snapshot.models
        if source.loaded or not only_ready
    ]


def change(fleet: Fleet, name: str, body: bytes) -> Change:
    """Check a request to load or unload a model."""
    asked = _decode(body, Change)
    if all(source.name != name for source in fleet.snapshot.models):
        known = dict.fromkeys(source.name for source in fleet.snapshot.models)
        told = f", and {TOLD}" if fleet.snapshot.is_steered else ""
        raise NotFound(
            f"no model named {name!r}; known are {', '.join(known)}{told}",
            fix=FIX if fleet.snapshot.is_steered else "name its source when the server starts",
        )
    for parameter in asked.parameters or ():
        if parameter == "config" or parameter.startswith("file:"):
            raise Conflict(
                f"model {name!r} cannot be given another {parameter!r}: its source was named when "
                "the server started"
            )
    return asked


def refuse_steered(fleet: Fleet, verb: str, name: str) -> None:
    """A steered data plane says yes to what is so already, and no to everything else."""
    if verb == "unload":
        raise Conflict(f"model {name!r} stays loaded: {TOLD}", fix=FIX)
    fleet.find(name, None)


def changed(path: Path, verb: str, name: str) -> Snapshot:
    """The snapshot with a model unloaded, or loaded as its source is now.

    Where the source has changed since, it is served as a new version: a number goes up by one, or
    beyond the others of its name.
    """
    snapshot = read_snapshot(path)
    taken = {source.version for source in snapshot.models if source.name == name}
    models = []
    for source in snapshot.models:
        moved = _moved(source, verb, taken) if source.name == name else source
        taken.add(moved.version)
        models.append(moved)
    return msgspec.structs.replace(snapshot, models=tuple(models))


def _moved(source: Source, verb: str, taken: set[str]) -> Source:
    if verb == "unload":
        return msgspec.structs.replace(source, loaded=False)
    digest = digest_of(source.place)
    version = source.version
    if digest != source.digest and version.isdecimal():
        numbers = [int(one) for one in taken if one.isdecimal()]
        version = str(max(numbers) + 1)
    return msgspec.structs.replace(source, loaded=True, digest=digest, version=version)


def _decode(body: bytes, kind: type[Asked]) -> Asked:
    if not body.strip():
        return kind()
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"the request does not follow the protocol: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the request is not valid JSON: {error}") from None
