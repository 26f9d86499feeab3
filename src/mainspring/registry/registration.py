"""What every registration is held to, through whichever door it comes."""

from __future__ import annotations

from mainspring.core.errors import Blocked
from mainspring.core.work import Work
from mainspring.registry.requirement import lacking
from mainspring.registry.requirement_store import RequirementStore


def held_to_requirements(work: Work, model: str, run: str | None) -> None:
    """Refuse a version whose run lacks what the workspace asks for.

    `run` is the one that is known to have made the version's files: a run that somebody only names
    is None here.
    """
    store = RequirementStore(work.connection, work.workspace_id)
    required = store.requirements().require
    if not required:
        return
    reasons = lacking(required, store.recorded(run) if run else None)
    if reasons:
        raise Blocked(
            f"no version of {model!r} is registered of this: {'; '.join(reasons)}",
            reasons,
            field="model",
            fix="supply that and register again; mainspring requirements show tells "
            "what this workspace asks for",
        )
