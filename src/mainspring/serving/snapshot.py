"""What a launcher tells a data plane: which models to serve, where, and to whom."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec

from mainspring.core.errors import Invalid, NotFound
from mainspring.engines import strict
from mainspring.engines.table import EngineTable
from mainspring.serving.log_policy import LogPolicy

Name = Annotated[str, msgspec.Meta(pattern=r"^[^/\x00-\x1f]{1,255}$")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Folder = Annotated[str, msgspec.Meta(pattern="^/")]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version's conversion, and which numbers of rows it answers."""

    folder: Folder
    """It holds `model.onnx`."""
    table: EngineTable


class Source(
    # What is not said is left out: a data plane of an earlier release reads the rest.
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """One version of a model, and where it is."""

    name: Name
    version: Name
    place: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    """A folder, a file, or module:Class."""
    digest: Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]+$")]
    loaded: bool = True
    """Whether it is served; one that was unloaded is only listed."""
    choice: Choice | None = None
    """None if its own engine answers everything."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a data plane takes upon itself."""

    queue: Count = 1_000
    """Requests that may wait for one model; the next one is told to come again."""
    requests: Count = 4_000
    """Requests under way in one process, whatever they are for."""
    body_bytes: Count = 512 * 2**20
    """Bodies in memory in one process, all together."""
    body_seconds: Seconds = 30.0
    """How long a caller may take to send a body."""
    predict_seconds: Seconds = 60.0
    """How long a request may take that brings no deadline; a call of an engine that takes longer hangs."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the prediction log is, and what it keeps."""

    folder: Folder
    segment_rows: Count = 20_000
    segment_bytes: Count = 64 * 2**20
    segment_seconds: Seconds = 30.0
    compact: bool = False
    """Whether this data plane turns sealed segments into Parquet itself; else somebody else does."""
    compact_bytes: Count = 2**30
    compact_seconds: Seconds = 300.0
    """Sealed segments are turned when they are so many bytes, or one is so old."""
    merge_bytes: Annotated[int, msgspec.Meta(ge=0)] = 128 * 2**20
    """Parquet files of one day are merged up to this size; 0 merges none."""
    keep_days: Count | None = None
    """Files go whose newest row was recorded longer ago; None keeps all."""
    policy: LogPolicy = LogPolicy()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one data plane."""

    deployment: Name
    host: str
    port: Port
    grpc_port: Port | None = None
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    nonce: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,64}$")]
    models: Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]
    tokens: tuple[Sha256, ...]
    """The hashes of the tokens that may predict; with none, nobody may."""
    anonymous: bool = False
    """Whether anybody who reaches the port may predict, without a token; on loopback only."""
    control: Sha256
    log: LogSettings | None
    """None keeps no prediction."""
    limits: Limits = Limits()
    is_steered: bool = True
    """Whether somebody else decides what is served; otherwise callers may load and unload."""
    allow_code: bool = False
    """Whether files may be unpickled, which runs what is in them."""
    metrics: bool = True
    access_log: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    """The file that gets a line of JSON for each request."""

    @property
    def ports(self) -> int:
        """How many ports are listened on."""
        return 1 if self.grpc_port is None else 2


def read_snapshot(path: Path) -> Snapshot:
    """Read and check the snapshot that the launcher wrote to `path`."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"no snapshot at {path}") from None
    snapshot = strict.decode(Snapshot, raw, f"the snapshot {path}")
    check_snapshot(snapshot)
    return snapshot


def check_snapshot(snapshot: Snapshot) -> None:
    """Refuse what no data plane could, or should, do."""
    seen: set[tuple[str, str]] = set()
    for model in snapshot.models:
        if (model.name, model.version) in seen:
            raise Invalid(
                f"the snapshot names {model.name} version {model.version} twice", field="models"
            )
        seen.add((model.name, model.version))
    if snapshot.grpc_port == snapshot.port:
        raise Invalid(
            f"the snapshot gives HTTP and gRPC the port {snapshot.port}; each wants its own",
            field="grpc_port",
        )
    if (snapshot.anonymous or not snapshot.tokens) and not is_loopback(snapshot.host):
        raise Invalid(
            f"the snapshot serves on {snapshot.host!r} without tokens; only loopback may",
            field="host",
            fix="serve on 127.0.0.1, or give tokens",
        )
    if snapshot.log is not None:
        snapshot.log.policy.check()


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot at `path` as a whole; only its owner may read it."""
    aside = path.with_suffix(".part")
    aside.touch(mode=0o600)
    aside.write_bytes(msgspec.json.encode(snapshot))
    aside.replace(path)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
