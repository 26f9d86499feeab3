"""The catalogue: models without versions, versions by source, tags, stages that have no gate.

No version gets into a gated stage here, in whatever order the calls come: a stage is gated as soon
as a suite was declared under the model's name or for all models, suites are never deleted, and a name
that a suite or policy was declared for is neither given to another model nor taken from its own.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.event import Announcement
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.registry import catalog_contract as contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.contract import DropAlias, NameModel, NameVersion, RequestPromotion
from mainspring.registry.desk import Desk
from mainspring.registry.field_store import FieldStore
from mainspring.registry.model import Model, ModelVersion
from mainspring.registry.origin import Origin, origin
from mainspring.registry.promotion import OPEN_STATES, TIERS, UNGATED
from mainspring.registry.registration import held_to_requirements
from mainspring.registry.stage_store import StageStore, checked_stage
from mainspring.registry.store import RegistryStore, checked_standing
from mainspring.registry.suites import suites_for
from mainspring.registry.tables import model_tag_table, version_tag_table


def _stores(work: Work) -> tuple[RegistryStore, CatalogStore]:
    place = (work.connection, work.workspace_id)
    return RegistryStore(*place), CatalogStore(*place)


@performs(contract.create_model)
def create_model(work: Work, request: contract.CreateModel) -> Model:
    """Create it, with its tags; the name must be free."""
    store, catalog = _stores(work)
    if store.find_model(request.model) is not None:
        raise Conflict(f"a model named {request.model!r} exists", field="model")
    if request.kind == "prompt":
        _refuse_gated(catalog, request.model, "be the name of a prompt")
    else:
        FieldStore(work.connection, work.workspace_id).checked("model", request.tags)
    key = store.add_model(
        request.model, work.actor.answering, work.now, request.kind, request.description
    )
    catalog.add_tags(model_tag_table, key, request.tags)
    work.announce(
        "model.created", ("model", request.model), request.model,
        of=request.kind, description=request.description, tags=request.tags,
    )  # fmt: skip
    return store.model_of(store.model_row(request.model))


@performs(contract.rename_model)
def rename_model(work: Work, request: contract.RenameModel) -> Model:
    """Give it another name; its versions come along, and no gate is shed or walked under."""
    store, catalog = _stores(work)
    row = store.model_row(request.model)
    _held_to_tier(work, row)
    if request.name != request.model:
        if store.find_model(request.name) is not None:
            raise Conflict(f"a model named {request.name!r} exists", field="name")
        for name in (request.model, request.name):
            _refuse_gated(catalog, name, "be renamed, or be another model's new name")
    store.update_model(row.id, {"name": request.name, "updated_at": work.now})
    work.announce("model.renamed", ("model", request.name), request.name, before=request.model)
    return store.model_of(store.model_row(request.name))


def _held_to_tier(work: Work, row: Any) -> None:
    """A name that is free again is that of a model of the lowest tier."""
    if row.risk_tier != TIERS[0] or row.lowered_from is not None:
        highest = row.lowered_from or row.risk_tier
        work.actor.require("approve", f"freeing the name of a model of the risk tier {highest!r}")


def _refuse_gated(catalog: CatalogStore, name: str, what: str) -> None:
    reasons = [f"a suite for {stage!r} is declared for {name!r}" for stage in catalog.gates(name)]
    reasons += [f"policy {policy!r} is for {name!r}" for policy in catalog.policies(name)]
    if reasons:
        raise Blocked(f"{name!r} may not {what}: {'; '.join(reasons)}", reasons, field="model")


@performs(contract.delete_model)
def delete_model(work: Work, request: NameModel) -> Done:
    """Delete it with all its versions, unless something was said of one at a gate."""
    store, catalog = _stores(work)
    row = store.model_row(request.model)
    _held_to_tier(work, row)
    promotions = catalog.promotions(row.id, all_of_them=True)
    _refuse_delete(request.model, promotions)
    count = catalog.count_versions(row.id)
    catalog.erase(row.id)
    work.announce("model.deleted", ("model", request.model), request.model, versions=count)
    return Done()


def _refuse_delete(what: str, promotions: list[Any]) -> None:
    told = {"promoted": "which let it into", "checking": "which is open, to"}
    told["waiting"] = told["checking"]
    reasons = [
        f"version {one.number} has promotion {one.public_id}, "
        f"{told.get(one.state, f'which is on record as {one.state}, to')} {one.stage}"
        for one in promotions
    ]
    if reasons:
        raise Blocked(
            f"{what} cannot be deleted: {'; '.join(reasons)}", reasons,
            fix="withdraw what is open; what went through a gate stays on record",
        )  # fmt: skip


@performs(contract.tag_model)
def tag_model(work: Work, request: contract.TagModel) -> Done:
    """Set the tag."""
    store, catalog = _stores(work)
    row = store.model_row(request.model)
    if row.kind == "model":
        FieldStore(work.connection, work.workspace_id).checked(
            "model", {request.key: request.value}
        )
    catalog.tag(model_tag_table, row.id, request.key, request.value)
    work.announce(
        "model.tagged", ("model", request.model), request.model,
        of=row.kind, key=request.key, value=request.value,
    )  # fmt: skip
    return Done()


@performs(contract.untag_model)
def untag_model(work: Work, request: contract.UntagModel) -> Done:
    """Take the tag off; one that is not there is off already."""
    store, catalog = _stores(work)
    row = store.model_row(request.model)
    if not catalog.untag(model_tag_table, row.id, request.key):
        return Done(count=0)
    subject = ("model", request.model)
    work.announce("model.untagged", subject, request.model, of=row.kind, key=request.key)
    return Done()


@performs(contract.latest_versions)
def latest_versions(work: Work, request: contract.LatestVersions) -> list[ModelVersion]:
    """The newest in each stage, in the order of the stages."""
    store, catalog = _stores(work)
    row = store.model_row(request.model)
    for stage in request.stages:
        checked_stage(work, stage)
    stages = StageStore(work.connection, work.workspace_id).names()
    wanted = [stage for stage in stages if not request.stages or stage in request.stages]
    return store.versions_of([store.version_by_key(key) for key in catalog.latest(row.id, wanted)])


@performs(contract.show_alias)
def show_alias(work: Work, request: DropAlias) -> ModelVersion:
    """The version that an alias points at, and no stage of that name."""
    store, _ = _stores(work)
    row = store.version_by_alias(request.model, request.alias)
    if row is None:
        store.model_row(request.model)
        raise NotFound(f"model {request.model!r} has no alias {request.alias!r}", field="alias")
    return store.version_of(row)


@performs(contract.add_version)
def add_version(work: Work, request: contract.AddVersion) -> ModelVersion:
    """Make the next version; files of ours are fixed as they are at this moment."""
    store, catalog = _stores(work)
    model = store.model_row(request.model)
    made_of = Origin()
    if model.kind == "model":
        FieldStore(work.connection, work.workspace_id).checked("version", request.tags)
        made_of = origin(store, catalog, request)
        # Without a digest the files are not ours, or not of the run that was named.
        held_to_requirements(work, request.model, made_of.run if made_of.digest else None)
    number = store.next_number(model.id)
    event = work.announce_fully(
        Announcement(
            kind="version.registered",
            subject_kind="version",
            subject=f"{request.model}@{number}",
            model=request.model,
            facts={
                "of": model.kind,
                "version": number,
                "run": made_of.run,
                "trained_model": made_of.trained_model,
                "source": request.source,
                "description": request.description,
                "tags": request.tags,
            },
            digest_after=made_of.digest,
        )
    )
    row = _version_columns(work, request, made_of)
    key = store.add_version({**row, "model_id": model.id, "number": number, "event": event})
    catalog.add_tags(version_tag_table, key, request.tags)
    if made_of.files and request.place is not None:
        catalog.freeze(request.place, request.prefix)
    store.update_model(model.id, {"updated_at": work.now})
    return store.version_of(store.version_row(request.model, number))


def _version_columns(work: Work, request: contract.AddVersion, made_of: Origin) -> dict[str, Any]:
    return {
        "stage": "development",
        "digest": made_of.digest,
        "engine": made_of.engine,
        "task": made_of.task,
        "signature": made_of.signature,
        "files": msgspec.to_builtins(made_of.files),
        "run": made_of.run,
        "trained_model": made_of.trained_model,
        "source": request.source,
        "location": made_of.location or request.location,
        "run_link": request.run_link,
        "description": request.description,
        "registered_by": work.actor.name,
        "recorded_at": work.now,
    }


@performs(contract.describe_version)
def describe_version(work: Work, request: contract.DescribeVersion) -> ModelVersion:
    """Change what is said of it; what it is made of never changes."""
    store, catalog = _stores(work)
    row = store.version_row(request.model, request.version)
    catalog.update_version(row.id, description=request.description, updated_at=work.now)
    _announce(work, "version.described", row, description=request.description)
    return store.version_of(store.version_row(request.model, request.version))


@performs(contract.delete_version)
def delete_version(work: Work, request: NameVersion) -> Done:
    """Hide it for good, with what points at it; its number stays taken."""
    store, catalog = _stores(work)
    row = store.version_row(request.model, request.version)
    promotions = catalog.promotions(row.model_id, row.id, all_of_them=False)
    _refuse_delete(f"{request.model}@{request.version}", promotions)
    aliases = catalog.drop_aliases(row)
    catalog.update_version(row.id, deleted_at=work.now, updated_at=work.now)
    store.update_model(row.model_id, {"updated_at": work.now})
    _announce(work, "version.deleted", row, aliases=aliases)
    return Done()


@performs(contract.tag_version)
def tag_version(work: Work, request: contract.TagVersion) -> Done:
    """Set the tag."""
    store, catalog = _stores(work)
    row = store.version_row(request.model, request.version)
    if row.model_kind == "model":
        fields = FieldStore(work.connection, work.workspace_id)
        fields.checked("version", {request.key: request.value})
    catalog.tag(version_tag_table, row.id, request.key, request.value)
    _announce(work, "version.tagged", row, key=request.key, value=request.value)
    return Done()


@performs(contract.untag_version)
def untag_version(work: Work, request: contract.UntagVersion) -> Done:
    """Take the tag off; one that is not there is off already."""
    store, catalog = _stores(work)
    row = store.version_row(request.model, request.version)
    if not catalog.untag(version_tag_table, row.id, request.key):
        return Done(count=0)
    _announce(work, "version.untagged", row, key=request.key)
    return Done()


@performs(contract.move_version)
def move_version(work: Work, request: contract.MoveVersion) -> ModelVersion:
    """Move it, unless a gate stands before the stage, or it went through one into production."""
    store, catalog = _stores(work)
    row = store.version_row(request.model, request.version)
    if row.model_kind == "prompt":
        raise Conflict(f"{request.model!r} is a prompt, and prompts have no stages", field="model")
    checked_stage(work, request.stage)
    gated = StageStore(work.connection, work.workspace_id).gated()
    if request.archive_existing and request.stage not in gated:
        raise Invalid(
            f"nothing is archived for {request.stage!r}: only {', '.join(gated)} are taken over",
            field="archive_existing",
        )
    if row.stage != request.stage:
        _refuse_move(work, store, row, request.stage)
    others = catalog.others_in(row, request.stage) if request.archive_existing else []
    if row.stage != request.stage or others:
        at, by = work.now, work.actor.name
        catalog.put_into([other.id for other in others], "archived", by, at)
        catalog.put_into([row.id], request.stage, by, at)
        store.update_model(row.model_id, {"updated_at": at})
        replaced = [other.number for other in others]
        facts = {"stage": request.stage, "before": row.stage, "replaced": replaced}
        _announce(work, "version.staged", row, **facts)
        Desk(work).moved(row, request.stage, *others)
    return store.version_of(store.version_row(request.model, request.version))


def _refuse_move(work: Work, store: RegistryStore, row: Any, stage: str) -> None:
    name = f"{row.model}@{row.number}"
    if stage not in UNGATED:
        checked_standing(row)
    if row.stage == "production" and store.admitted(row, "production"):
        reason = f"{name} went into production through its gate, and would leave it empty"
        raise Blocked(
            f"{name} may not leave production: {reason}", [reason],
            fix=f"promote another version of {row.model} to production: it takes this one's place",
        )  # fmt: skip
    desk = Desk(work)
    if desk.promotions.suite_rows(row.model, stage) or desk.gates_today(row, stage):
        reasons = _missing(desk, row, stage)
        raise Blocked(
            f"{name} enters {stage} through its gate alone: {'; '.join(reasons)}", reasons,
            fix=f"mainspring promote {name} --to {stage}",
        )  # fmt: skip


def _missing(desk: Desk, row: Any, stage: Any) -> list[str]:
    """What its promotion lacks: the one that is open, or one that somebody would ask for now."""
    standing = desk.promotions.open_promotion(row.id, stage)
    if standing is not None and standing.state in OPEN_STATES:
        gate = desk.gate(standing, row)
        return desk.missing(standing, row, gate) or ["its promotion is being decided"]
    try:
        suites = suites_for(
            desk, row, RequestPromotion(model=row.model, version=row.number, stage=stage)
        )
    except Blocked as refusal:
        return refusal.reasons
    _, missing = desk.at_first(suites, row, stage)
    return ["no promotion was asked for", *missing]


def _announce(work: Work, kind: str, row: Any, **facts: Any) -> None:
    work.announce_fully(
        Announcement(
            kind=kind,
            subject_kind="version",
            subject=f"{row.model}@{row.number}",
            model=row.model,
            facts={"of": row.model_kind, "version": row.number, **facts},
            digest_after=row.digest,
        )
    )
