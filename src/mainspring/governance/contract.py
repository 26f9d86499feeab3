"""What may be asked about storage: to free what was deleted and what nothing names."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.operation import Operation, Request

Seconds = Annotated[int, msgspec.Meta(ge=0, le=10**10)]
Token = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(runs|models|experiments|uploads|files|sweep|bytes|space):[0-9]{1,18}$(?!\n)",
        description="the `next` of the answer before",
    ),
]
THIRTY_DAYS = 30 * 24 * 60 * 60


class Collect(Request, frozen=True, kw_only=True):
    """One chunk of the work, a fraction of a second long."""

    older_than_s: Seconds = THIRTY_DAYS
    """How long ago a thing must have been deleted: until then it can be restored."""
    dry_run: bool = False
    """Whether only to say what would go."""
    after: Token | None = None
    """Where to go on; the beginning if not given."""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk freed, or would free."""

    runs: int = 0
    points: int = 0
    """Of the metrics of those runs."""
    trained_models: int = 0
    experiments: int = 0
    datasets: int = 0
    files: int = 0
    """Bytes that nothing names any more, in no workspace."""
    bytes: int = 0
    next: str | None = None
    """Where the next chunk goes on; None when all is done."""


collect = Operation(
    "storage.collect", "POST", "/storage/collections", Collect, Collected,
    allow="admin", summary="Free what was deleted long ago, one chunk of it.", decision=True,
)  # fmt: skip
