"""Rules of runs: states, digests. Pure, no storage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

from mainspring.core.blobs import canonical_json, digest_of

RunStatus = Literal["running", "scheduled", "finished", "failed", "killed", "crashed"]
FINAL: frozenset[str] = frozenset({"finished", "failed", "killed"})
HEARTBEAT_TIMEOUT = dt.timedelta(seconds=45)
"""A running run that was not heard of for this long is `crashed`; a heartbeat makes it run again."""


def files_digest(files: Iterable[tuple[str, str, int]]) -> str:
    """The digest of a set of files: SHA-256 of the canonical JSON of (path, digest, size), sorted."""
    return digest_of(canonical_json(sorted(files)))
