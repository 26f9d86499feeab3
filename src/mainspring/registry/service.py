"""Models and versions: registered, described, found, rolled back."""

from __future__ import annotations

import re

import msgspec

from mainspring.core.blobs import digest_of
from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.event import Announcement
from mainspring.core.event_log import EVENTS, event_table, events_of
from mainspring.core.ids import checked_alias
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.desk import Desk
from mainspring.registry.model import Model, ModelVersion
from mainspring.registry.promotion import STAGES, TIERS
from mainspring.registry.promotion_store import PromotionStore
from mainspring.registry.protection import checked_free
from mainspring.registry.record import Lineage
from mainspring.registry.registration import held_to_requirements
from mainspring.registry.stage_store import StageStore, checked_target
from mainspring.registry.store import RegistryStore, checked_move, checked_standing
from mainspring.tracking.contract import TrainedModel
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.model_store import ModelStore
from mainspring.tracking.store import TrackingStore


def _store(work: Work) -> RegistryStore:
    return RegistryStore(work.connection, work.workspace_id)


@performs(contract.list_models)
def list_models(work: Work, request: contract.ListModels) -> list[Model]:
    """Models by name."""
    return _store(work).models(request.limit, work.actor.models)


@performs(contract.show_model)
def show_model(work: Work, request: contract.NameModel) -> Model:
    """One model."""
    return _model(_store(work), request.model)


def _model(store: RegistryStore, name: str) -> Model:
    return store.model_of(store.model_row(name))


@performs(contract.describe_model)
def describe_model(work: Work, request: contract.DescribeModel) -> Model:
    """Change what is said of it; lowering the risk tier takes someone who may approve."""
    store = _store(work)
    row = store.model_row(request.model)
    people = [*([request.owner] if request.owner else []), *(request.on_call or [])]
    strangers = PromotionStore(work.connection, work.workspace_id).strangers(people)
    if strangers:
        raise NotFound(
            f"nobody here is called {strangers[0]!r}; owners and those on call are people "
            "who can sign in",
            field="owner" if strangers[0] == request.owner else "on_call",
            fix=f"mainspring people add {strangers[0]}",
        )
    names = ("owner", "team", "on_call", "escalation", "risk_tier", "description")
    values = {name: value for name in names if (value := getattr(request, name)) is not None}
    lowered = {}
    if TIERS.index(values.get("risk_tier", row.risk_tier)) < TIERS.index(row.risk_tier):
        work.actor.require("approve", "lowering a risk tier")
        # What was trained until now keeps the higher tier: nobody lowers the gate of their own work.
        highest = max(row.risk_tier, row.lowered_from or row.risk_tier, key=TIERS.index)
        lowered = {"lowered_from": highest, "lowered_at": work.now}
    if values:
        store.update_model(row.id, {**values, **lowered, "updated_at": work.now})
        work.announce("model.described", ("model", request.model), request.model, **values)
    return _model(store, request.model)


@performs(contract.register_version)
def register_version(work: Work, request: contract.RegisterVersion) -> ModelVersion:
    """Give the trained model the next number; the same one again answers its version."""
    checked_alias_free(request.model)
    store = _store(work)
    trained = ModelStore(work.connection, work.workspace_id).trained(
        public_id=request.trained_model
    )
    if not trained:
        raise NotFound(
            f"no trained model {request.trained_model!r} in this workspace", field="trained_model"
        )
    if trained[0].digest is None:
        raise Conflict(
            f"trained model {request.trained_model!r} is not ready: its files are still coming",
            field="trained_model",
        )
    known = store.trained_as(request.model, request.trained_model)
    if known is not None and known.digest == trained[0].digest:
        return store.version_of(known)
    held_to_requirements(work, request.model, trained[0].run)
    model = store.find_model(request.model)
    if model is None:
        key = store.add_model(request.model, work.actor.answering, work.now)
        work.announce(
            "model.created", ("model", request.model), request.model,
            of="model", description="", tags={},
        )  # fmt: skip
    elif model.kind == "prompt":
        raise Conflict(f"{request.model!r} is a prompt; a version of it is a text", field="model")
    else:
        key = model.id
        store.update_model(key, {"updated_at": work.now})
    _add_version(work, store, key, request, trained[0])
    CatalogStore(work.connection, work.workspace_id).freeze(f"models/{trained[0].id}", "")
    return store.version_of(store.trained_as(request.model, request.trained_model))


def checked_alias_free(name: str) -> None:
    """Refuse model names that the reference `MODEL@V` could not carry."""
    if any(mark in name for mark in "@/:"):
        raise Invalid(f"a model's name has no @, / or :, found {name!r}", field="model")


def _add_version(
    work: Work,
    store: RegistryStore,
    model: int,
    request: contract.RegisterVersion,
    trained: TrainedModel,
) -> None:
    number = store.next_number(model)
    event = work.announce_fully(
        Announcement(
            kind="version.registered",
            subject_kind="version",
            subject=f"{request.model}@{number}",
            model=request.model,
            facts={
                "of": "model",
                "version": number,
                "run": trained.run,
                "trained_model": trained.id,
                "source": f"models:/m-{trained.id}",
                "description": request.description,
                "tags": {},
            },
            digest_after=trained.digest,
        )
    )
    store.add_version(
        {
            "model_id": model,
            "number": number,
            "stage": "development",
            "digest": trained.digest,
            "engine": trained.engine,
            "task": trained.task,
            "signature": msgspec.to_builtins(trained.signature),
            "files": msgspec.to_builtins(trained.files),
            "run": trained.run,
            "trained_model": trained.id,
            "description": request.description,
            "registered_by": work.actor.name,
            "event": event,
            "recorded_at": work.now,
        }
    )


@performs(contract.list_versions)
def list_versions(work: Work, request: contract.ListVersions) -> list[ModelVersion]:
    """Newest first."""
    return _store(work).versions(request.model, request.limit)


@performs(contract.show_version)
def show_version(work: Work, request: contract.NameVersion) -> ModelVersion:
    """One version."""
    store = _store(work)
    return store.version_of(store.version_row(request.model, request.version))


@performs(contract.resolve)
def resolve(work: Work, request: contract.Resolve) -> ModelVersion:
    """Digits are a version, else a stage, else an alias."""
    store, reference = _store(work), request.reference
    if re.fullmatch("[0-9]+", reference):
        number = int(reference[:10])  # so many digits are no version's number already
        return store.version_of(store.version_row(request.model, min(number, 2_000_000_000)))
    stages = StageStore(work.connection, work.workspace_id).names()
    if reference.lower() in stages:
        row = store.staged(request.model, reference.lower())
        if row is None:
            store.model_row(request.model)
            raise NotFound(
                f"no version of {request.model!r} is in {reference!r}",
                field="reference",
                fix=f"mainspring model versions {request.model}",
            )
        return store.version_of(row)
    row = store.version_by_alias(request.model, reference)
    if row is None:
        aliases = store.aliases(store.model_row(request.model).id)
        raise NotFound(
            f"model {request.model!r} has no alias {reference!r}; it has: "
            f"{', '.join(aliases) or 'none'}",
            field="reference",
        )
    return store.version_of(row)


@performs(contract.set_alias)
def set_alias(work: Work, request: contract.SetAlias) -> Model:
    """Point the alias."""
    store = _store(work)
    version = store.version_row(request.model, request.version)
    # A prompt has no stages, so that no alias of it can be taken for one.
    if version.model_kind != "prompt" or request.alias.lower() not in STAGES:
        checked_alias(request.alias)
    if version.model_kind != "prompt":
        _refuse_stage(work, request.alias)
        checked_free(work, request.model, request.alias)
    checked_standing(version)
    store.set_alias(version.model_id, request.alias, request.version)
    work.announce(
        "alias.set",
        ("version", f"{request.model}@{request.version}"),
        request.model,
        of=version.model_kind,
        alias=request.alias,
        version=request.version,
    )
    return _model(store, request.model)


def _refuse_stage(work: Work, alias: str) -> None:
    if alias.lower() in StageStore(work.connection, work.workspace_id).names():
        raise Invalid(f"{alias!r} cannot be an alias: it is a stage here", field="alias")


@performs(contract.drop_alias)
def drop_alias(work: Work, request: contract.DropAlias) -> Model:
    """Forget the alias."""
    store = _store(work)
    model = store.model_row(request.model)
    checked_free(work, request.model, request.alias)
    if not store.drop_alias(model.id, request.alias):
        raise NotFound(f"model {request.model!r} has no alias {request.alias!r}", field="alias")
    work.announce(
        "alias.removed", ("model", request.model), request.model, of=model.kind, alias=request.alias
    )
    return _model(store, request.model)


@performs(contract.roll_back)
def roll_back(work: Work, request: contract.RollBack) -> ModelVersion:
    """Return to a version that passed the stage's gate before."""
    store = _store(work)
    version = store.version_row(request.model, request.version)
    checked_target(work, request.stage)
    checked_move(version, request.stage)
    if not store.passed_into(version.id, request.stage):
        raise Blocked(
            f"{request.model}@{request.version} was never in {request.stage} through its gate: "
            "nothing to return to",
            ["a version that was not there before needs a promotion"],
            fix=f"mainspring promote {request.model}@{request.version} --to {request.stage}",
        )
    champion = store.staged(request.model, request.stage)
    before = store.move(version, request.stage, work.actor.name, work.now)
    work.announce(
        "version.rolled_back",
        ("version", f"{request.model}@{request.version}"),
        request.model,
        version=request.version,
        stage=request.stage,
        replaced=before,
        reason=request.reason,
    )
    Desk(work).moved(version, request.stage, champion)
    return store.version_of(store.version_row(request.model, request.version))


@performs(contract.show_lineage)
def show_lineage(work: Work, request: contract.NameVersion) -> Lineage:
    """From the version back to data, code and run."""
    row = _store(work).version_row(request.model, request.version)
    tracking = TrackingStore(work.connection, work.workspace_id)
    run = tracking.find_run(row.run) if row.run else None
    promotions = PromotionStore(work.connection, work.workspace_id)
    promotion = promotions.last_promotion(row.id)
    suite = promotions.suites_by_keys([promotion.suite_id])[0] if promotion else None
    return Lineage(
        model=request.model,
        version=row.number,
        digest=row.digest,
        stage=row.stage,
        registered_by=row.registered_by,
        run=row.run,
        run_author=run.author if run else None,
        run_opened_at=run.opened_at if run else None,
        code=run.code if run else {},
        environment=run.environment if run else {},
        datasets=DatasetStore(work.connection, work.workspace_id).datasets(run.id) if run else [],
        parent_version=promotion.champion if promotion else None,
        suite_digest=suite.digest if suite else None,
        suite_declared_at=suite.recorded_at if suite else None,
        verdicts=promotions.verdict_rows(promotion.id) if promotion else [],
        approvals=promotions.approval_rows(promotion.id) if promotion else [],
        causes=_causes(work, row.event),
    )


def _causes(work: Work, event: str | None) -> list[str]:
    """The events that led to one, nearest first; each names the one before it."""
    told: list[str] = []
    while event is not None and len(told) < 50:
        rows = work.connection.execute(
            EVENTS.where(
                event_table.c.workspace_id == work.workspace_id,
                event_table.c.public_id == event,
            )
        ).all()
        if not rows:
            break
        (found,) = events_of(work.connection, rows)
        when = found.recorded_at.isoformat()
        told.append(f"{when} {found.kind} {found.subject} by {found.actor}")
        event = found.cause
    return told


SINCE = ("override_hours", "approvers", "services", "verdict_hours", "training_days", "expiry_days")
"""What a suite can say since there were suites."""


def suite_digest(request: contract.Demands) -> str:
    """What binds a suite's content."""
    content = msgspec.to_builtins(request)
    for name in SINCE:  # as it was before there was such a thing
        if not content[name]:
            del content[name]
    return digest_of(msgspec.json.encode(content, order="deterministic"))
