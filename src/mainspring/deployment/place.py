"""Where a deployment's data plane is and how it serves, in the words of a data plane."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

from mainspring.deployment.contract import Process, Serving
from mainspring.deployment.process import free_port, is_free, new_nonce
from mainspring.serving.log_policy import LogPolicy
from mainspring.serving.snapshot import Limits, LogSettings

SEGMENT_ROWS = 5_000
"""Rows of a journal before it is sealed: what is not sealed yet is parsed row by row."""


class Place(NamedTuple):
    """The ports of a data plane, and what tells this start of it from every other."""

    port: int
    grpc_port: int | None
    nonce: str


def new_place(serving: Serving, before: Process | None) -> Place:
    """The ports that it had before, as far as they are free."""
    port = _kept(before.port if before else None)
    grpc_port = _kept(before.grpc_port if before else None) if serving.grpc else None
    return Place(port, grpc_port, new_nonce())


def place_of(process: Process) -> Place:
    """Where a data plane runs."""
    return Place(process.port, process.grpc_port, process.nonce)


def log_settings(serving: Serving, folder: Path) -> LogSettings:
    """Its prediction log; the key of hashes is made once and stays with the deployment."""
    policy = LogPolicy(
        sample=serving.log_sample,
        redact=tuple(serving.log_redact),
        hashed=tuple(serving.log_hash),
        key=_secret(folder / "log.key") if serving.log_hash else None,
        entity_key=serving.entity_key,
    )
    return LogSettings(folder=str(folder / "log"), segment_rows=SEGMENT_ROWS, policy=policy)


def limits(serving: Serving) -> Limits:
    """How much it takes upon itself."""
    return Limits(queue=serving.queue, predict_seconds=serving.predict_seconds)


def control_token(folder: Path) -> str:
    """What its supervisor steers it with."""
    return _secret(folder / "control")


def _secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()


def _kept(port: int | None) -> int:
    return port if port is not None and is_free(port) else free_port()
