"""Stages are declared by administrators; each is a name that nothing else may have."""

from __future__ import annotations

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.core.ids import RESERVED_ALIASES
from mainspring.core.operation import Done
from mainspring.core.text import closest
from mainspring.core.work import Work, performs
from mainspring.registry import stage_contract as contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.promotion import GATED, STAGES
from mainspring.registry.promotion_store import PromotionStore
from mainspring.registry.protection_store import ProtectionStore
from mainspring.registry.stage_contract import Stage
from mainspring.registry.stage_store import StageStore

MEANINGS = {
    "development": "where every version begins",
    "staging": "tried before it is used",
    "production": "used",
    "archived": "was used, or never will be",
}
MOST = 20


def _store(work: Work) -> StageStore:
    return StageStore(work.connection, work.workspace_id)


@performs(contract.list_stages)
def list_stages(work: Work, request: contract.ListStages) -> list[Stage]:
    """Those that all have and its own, archived being the last."""
    own = {
        row.name: Stage(
            name=row.name,
            description=row.description,
            gated=True,
            set_by=row.set_by,
            recorded_at=row.recorded_at,
        )
        for row in _store(work).rows()
    }
    built = {
        name: Stage(
            name=name,
            description=MEANINGS[name],
            gated=name in GATED,
            set_by=None,
            recorded_at=None,
        )
        for name in STAGES
    }
    return [(built | own)[name] for name in _store(work).names()]


@performs(contract.declare_stage)
def declare_stage(work: Work, request: contract.DeclareStage) -> list[Stage]:
    """Declare it; no alias may be called like it."""
    store, name = _store(work), request.name
    if name in RESERVED_ALIASES:
        raise Invalid(f"{name!r} is a stage or a reference in every workspace", field="name")
    known = next((row for row in store.rows() if row.name == name), None)
    if known is None and len(store.rows()) >= MOST:
        raise Conflict(f"a workspace has at most {MOST} stages of its own", field="name")
    if known is None:
        _refuse_alias(work, name)
    if known is None or known.description != request.description:
        store.put(name, request.description, work.actor.name, work.now)
        work.announce("stage.declared", ("stage", name), description=request.description)
    return list_stages(work, contract.ListStages())


def _refuse_alias(work: Work, name: str) -> None:
    stray = CatalogStore(work.connection, work.workspace_id).aliased(name)
    if stray:
        raise Conflict(
            f"{stray[0]} has the alias {name!r}: a reference could mean either",
            field="name",
            fix=f"mainspring model unalias {stray[0].rpartition('@')[0]} {name}",
        )


@performs(contract.drop_stage)
def drop_stage(work: Work, request: contract.NameStage) -> Done:
    """Drop it, unless something is in it or on its way there."""
    store, name = _store(work), request.name
    if name not in [row.name for row in store.rows()]:
        names = [row.name for row in store.rows()]
        raise NotFound(f"no stage {name!r} was declared{closest(name, names)}", field="name")
    inside = CatalogStore(work.connection, work.workspace_id).staged_everywhere(name)
    asked = PromotionStore(work.connection, work.workspace_id).undone(name)
    followed = ProtectionStore(work.connection, work.workspace_id).following(name)
    holding = [f"{model}@{number} is in it" for model, _, number in inside]
    holding += [f"promotion {one} is undecided" for one in asked]
    holding += [f"the alias {alias!r} follows it" for alias in followed]
    if holding:
        raise Conflict(f"the stage {name!r} is needed: {holding[0]}", field="name")
    store.drop(name)
    work.announce("stage.dropped", ("stage", name))
    return Done()
