"""What keeps protected aliases in their place, from whichever front door."""

from __future__ import annotations

from mainspring.core.errors import Blocked
from mainspring.core.work import Work
from mainspring.registry.protection_store import ProtectionStore


def checked_free(work: Work, model: str, alias: str) -> None:
    """Refuse to set or drop an alias that follows a stage."""
    stage = ProtectionStore(work.connection, work.workspace_id).stage_of(alias)
    if stage is not None:
        reason = f"the alias {alias!r} is protected: it names what is in {stage}"
        raise Blocked(
            f"{reason}, and moves with a promotion alone",
            [reason],
            field="alias",
            fix=f"mainspring promote {model}@VERSION --to {stage}",
        )
