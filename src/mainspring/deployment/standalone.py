"""A data plane by itself, without a server beside it: what `mainspring serve` was told, as a snapshot."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.operation import FileClient
from mainspring.deployment.place import control_token
from mainspring.deployment.process import free_port, new_nonce
from mainspring.engines.source import digest_of
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameVersion, Resolve
from mainspring.registry.engine_contract import show_engines
from mainspring.serving.binding import bound
from mainspring.serving.log_policy import LogPolicy
from mainspring.serving.snapshot import (
    Choice,
    Limits,
    LogSettings,
    Snapshot,
    Source,
    check_snapshot,
    write_snapshot,
)
from mainspring.tracking.files import fetched_folder

NAMED = re.compile(
    r"(?P<name>[^/=@\x00-\x1f]{1,255})(?:@(?P<version>[^/=\x00-\x1f]{1,255}))?=(?P<place>.+)"
)
REFERENCE = re.compile(r"(?P<model>[^/:@]+)@(?P<reference>[^/:@]+)")
LONGEST_TOKEN = 1_000


class Fetched(NamedTuple):
    """A version of the registry on this machine."""

    folder: Path
    version: int
    choice: Choice | None
    """Its conversion, where one was timed and answers anything."""


Fetch = Callable[[str, str], Fetched]
"""The files of a model by its name and a version, an alias or a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standalone:
    """What to serve, where, and to whom."""

    models: tuple[str, ...]
    """Each as NAME=SOURCE or NAME@VERSION=SOURCE."""
    host: str
    port: int
    """0 takes any that is free."""
    grpc_port: int | None
    workers: int
    token_file: Path | None
    log_folder: Path | None
    """None keeps no prediction."""
    policy: LogPolicy
    limits: Limits
    allow_code: bool
    metrics: bool
    access_log: Path | None


def prepare(asked: Standalone, folder: Path, fetch: Fetch) -> Path:
    """Write the snapshot that `python -m mainspring.serving` takes into `folder`; answer its path.

    Errors: `Invalid` for what cannot be served so, `NotFound` for a source that is not there, `Conflict`
    for a port that is taken.
    """
    tokens = _tokens(asked.token_file) if asked.token_file is not None else ()
    port = asked.port or free_port()
    # Before anything is written: the folder may be that of a data plane that runs.
    bound(asked.host, port).close()
    models = tuple(_source(text, fetch) for text in asked.models)
    log = None
    if asked.log_folder is not None:
        log = LogSettings(
            folder=str(asked.log_folder.absolute()), policy=asked.policy, compact=True
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    snapshot = Snapshot(
        deployment=models[0].name,
        host=asked.host,
        port=port,
        grpc_port=asked.grpc_port,
        workers=asked.workers,
        nonce=new_nonce(),
        models=models,
        tokens=tokens,
        anonymous=not tokens,
        control=hashlib.sha256(control_token(folder).encode()).hexdigest(),
        log=log,
        limits=asked.limits,
        is_steered=False,
        allow_code=asked.allow_code,
        metrics=asked.metrics,
        access_log=str(asked.access_log.absolute()) if asked.access_log else None,
    )
    check_snapshot(snapshot)
    path = folder / "snapshot.json"
    write_snapshot(path, snapshot)
    return path


def fetched_version(client: FileClient, model: str, reference: str) -> Fetched:
    """The version that an alias, a stage or a number names, with its files on this machine."""
    number = client.call(registry.resolve, Resolve(model=model, reference=reference)).version
    request = NameVersion(model=model, version=number)
    version = client.call(registry.show_version, request)
    choice = None
    with contextlib.suppress(NotFound):
        timed = client.call(show_engines, request)
        if timed.onnx is not None:
            folder = fetched_folder(client, timed.onnx.digest, [timed.onnx])
            choice = Choice(folder=str(folder), table=timed.table)
    return Fetched(fetched_folder(client, version.own_digest(), version.files), number, choice)


def _source(text: str, fetch: Fetch) -> Source:
    found = NAMED.fullmatch(text)
    if found is None:
        raise Invalid(
            f"{text!r} names no model; NAME=SOURCE is wanted",
            field="models",
            fix="for instance churn=churn@production, churn=model.onnx, echo=my_module:Echo",
        )
    place, version, choice = found["place"], found["version"], None
    reference = REFERENCE.fullmatch(place)
    if reference is not None and not Path(place).exists():
        fetched = fetch(reference["model"], reference["reference"])
        place, version = str(fetched.folder), version or str(fetched.version)
        choice = fetched.choice
    elif Path(place).exists():
        place = str(Path(place).absolute())
    return Source(
        name=found["name"],
        version=version or "1",
        place=place,
        digest=digest_of(place),
        choice=choice,
    )


def _tokens(path: Path) -> tuple[str, ...]:
    """The hashes of the tokens in a file, one on a line."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except FileNotFoundError:
        raise NotFound(f"there is no token file {path}", field="token_file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"the token file {path} cannot be read: {error}", field="token_file"
        ) from None
    tokens = [line for line in lines if line]
    if not tokens or max(map(len, tokens)) > LONGEST_TOKEN:
        raise Invalid(
            f"the token file {path} has {len(tokens)} tokens; one on each line is wanted, of at most "
            f"{LONGEST_TOKEN} characters",
            field="token_file",
        )
    return tuple(sorted({hashlib.sha256(token.encode()).hexdigest() for token in tokens}))
