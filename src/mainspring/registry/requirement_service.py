"""What a workspace asks of registrations is shown, and set by its administrators."""

from __future__ import annotations

from mainspring.core.work import Work, performs
from mainspring.registry import requirement_contract as contract
from mainspring.registry.requirement import REQUIREMENTS
from mainspring.registry.requirement_contract import Requirements
from mainspring.registry.requirement_store import RequirementStore


@performs(contract.show_requirements)
def show_requirements(work: Work, request: contract.ShowRequirements) -> Requirements:
    """Those that hold now."""
    return RequirementStore(work.connection, work.workspace_id).requirements()


@performs(contract.set_requirements)
def set_requirements(work: Work, request: contract.SetRequirements) -> Requirements:
    """Ask for these from now on; the same again changes nothing, not even who set them."""
    store = RequirementStore(work.connection, work.workspace_id)
    before = store.requirements().require
    wanted = [one for one in REQUIREMENTS if one in request.require]
    if wanted != before:
        store.put(wanted, work.actor.name, work.now)
        subject = ("workspace", work.workspace)
        work.announce("requirements.set", subject, require=wanted, before=before)
    return store.requirements()
