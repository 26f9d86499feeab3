"""Protected aliases: shown, set by administrators, and moved by nothing but promotions."""

from __future__ import annotations

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.ids import checked_alias
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.registry import protection_contract as contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.protection_contract import ProtectedAlias
from mainspring.registry.protection_store import ProtectionStore
from mainspring.registry.stage_store import StageStore, checked_target
from mainspring.registry.store import RegistryStore


@performs(contract.list_protected)
def list_protected(work: Work, request: contract.ListProtected) -> list[ProtectedAlias]:
    """By their names."""
    return [
        ProtectedAlias(
            alias=row.alias, stage=row.stage, set_by=row.set_by, recorded_at=row.recorded_at
        )
        for row in ProtectionStore(work.connection, work.workspace_id).rows()
    ]


@performs(contract.protect_alias)
def protect_alias(work: Work, request: contract.ProtectAlias) -> list[ProtectedAlias]:
    """Let it follow the stage from now on; where it is there already, it has to agree with it."""
    checked_alias(request.alias)
    checked_target(work, request.stage)
    if request.alias.lower() in StageStore(work.connection, work.workspace_id).names():
        raise Conflict(f"{request.alias!r} cannot be an alias: it is a stage here", field="alias")
    registry = RegistryStore(work.connection, work.workspace_id)
    protection = ProtectionStore(work.connection, work.workspace_id)
    if protection.stage_of(request.alias) != request.stage:
        catalog = CatalogStore(work.connection, work.workspace_id)
        stray = catalog.aliased_outside(request.alias, request.stage)
        if stray:
            raise Conflict(
                f"the alias {request.alias!r} points at {stray[0]}, which is not in "
                f"{request.stage}",
                field="alias",
                fix=f"mainspring model unalias {stray[0].rpartition('@')[0]} {request.alias}",
            )
        for model, key, number in catalog.staged_everywhere(request.stage):
            if registry.admitted(registry.version_row(model, number), request.stage):
                registry.set_alias(key, request.alias, number)
        protection.put(request.alias, request.stage, work.actor.name, work.now)
        work.announce(
            "alias.protected", ("workspace", work.workspace), alias=request.alias,
            stage=request.stage,
        )  # fmt: skip
    return list_protected(work, contract.ListProtected())


@performs(contract.unprotect_alias)
def unprotect_alias(work: Work, request: contract.UnprotectAlias) -> Done:
    """Let it be set by hand again; it stays where it is."""
    if not ProtectionStore(work.connection, work.workspace_id).drop(request.alias):
        raise NotFound(f"the alias {request.alias!r} is not protected", field="alias")
    work.announce("alias.unprotected", ("workspace", work.workspace), alias=request.alias)
    return Done()
