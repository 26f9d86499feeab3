"""Models and their versions, as they are told."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from mainspring.core.errors import Conflict
from mainspring.core.signature import Signature
from mainspring.registry.promotion import RiskTier, VersionState
from mainspring.tracking.contract import FileEntry

ModelKind = Literal["model", "prompt"]
"""A prompt is a named text with versions: it has no stages, and nothing gates or serves it."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A named line of versions."""

    name: str
    kind: ModelKind
    owner: str
    team: str
    on_call: list[str]
    """Who is asked when something is wrong, in turn."""
    escalation: str
    """Whom to call when nobody answers."""
    risk_tier: RiskTier
    description: str
    versions: int
    """How many there have been: the number of the last one."""
    production: int | None
    """The version in production."""
    unconfirmed: str | None
    """The promotion that put it there past the gate, until a second person confirms it."""
    aliases: dict[str, int]
    tags: dict[str, str]
    recorded_at: dt.datetime
    updated_at: dt.datetime | None


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version: its digest covers all its files."""

    model: str
    version: int
    stage: str
    state: VersionState
    state_reason: str
    """Why it is blocked or revoked."""
    digest: str | None
    """None if its files are kept elsewhere: it can be neither promoted nor deployed."""
    engine: str
    task: str
    signature: Signature
    files: list[FileEntry]
    run: str | None
    trained_model: str | None
    source: str
    """Where another tool's client said that its files are."""
    location: str
    """Where they are fetched from, if the source only refers to that."""
    run_link: str
    description: str
    registered_by: str
    aliases: list[str]
    tags: dict[str, str]
    recorded_at: dt.datetime
    updated_at: dt.datetime | None

    def own_digest(self) -> str:
        """The digest of files that are here, to be loaded; other files cannot be."""
        if self.digest is None:
            raise Conflict(
                f"the files of {self.model}@{self.version} are not kept here, but at "
                f"{self.source!r}: they cannot be loaded",
                field="version",
            )
        return self.digest
