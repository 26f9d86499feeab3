"""What a supervisor tells a data plane: which models to serve, where, and to whom."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec

from mainspring.core.errors import Invalid, NotFound
from mainspring.engines import strict

Name = Annotated[str, msgspec.Meta(pattern=r"^[^/\x00-\x1f]{1,255}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Folder = Annotated[str, msgspec.Meta(pattern="^/")]


class ServedFolder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a model and the folder that holds it."""

    name: Name
    version: Name
    folder: Folder
    digest: Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]+$")]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one data plane."""

    deployment: Name
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    nonce: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,64}$")]
    models: Annotated[tuple[ServedFolder, ...], msgspec.Meta(min_length=1)]
    tokens: tuple[Sha256, ...]
    """The hashes of the tokens that may predict; with none, nobody may."""
    control: Sha256
    log_folder: Folder
    segment_rows: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    segment_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    body_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How long a caller may take to send a body."""


def read_snapshot(path: Path) -> Snapshot:
    """Read and check the snapshot that the supervisor wrote to `path`."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no snapshot at {path}") from None
    snapshot = strict.decode(Snapshot, raw, f"the snapshot {path}")
    seen: set[tuple[str, str]] = set()
    for model in snapshot.models:
        if (model.name, model.version) in seen:
            raise Invalid(
                f"the snapshot names {model.name} version {model.version} twice", field="models"
            )
        seen.add((model.name, model.version))
    if not snapshot.tokens and not _is_loopback(snapshot.host):
        raise Invalid(
            f"the snapshot serves on {snapshot.host!r} without tokens; only loopback may",
            field="host",
            fix="serve on 127.0.0.1, or give tokens",
        )
    return snapshot


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
