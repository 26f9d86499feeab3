"""Retrainings are proposed, requested, followed to production; the rules are in policy.py."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound
from mainspring.core.event import Announcement
from mainspring.core.ids import new_id
from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.monitoring.store import MonitoringStore
from mainspring.registry.promotion import policy_blockers
from mainspring.registry.promotion_store import PromotionStore, standing_policy
from mainspring.registry.store import RegistryStore
from mainspring.retraining import contract
from mainspring.retraining.contract import Retraining, RetrainingPolicy
from mainspring.retraining.policy import (
    ACTIVE,
    LEVELS,
    Attempt,
    Brakes,
    first_state,
    held_back,
    may_advance,
)
from mainspring.retraining.store import RetrainingStore, policy_of, retraining_of


def _store(work: Work) -> RetrainingStore:
    return RetrainingStore(work.connection, work.workspace_id)


@performs(contract.set_policy)
def set_policy(work: Work, request: contract.SetPolicy) -> RetrainingPolicy:
    """Say how a model is retrained; level 3 needs a standing policy that a person approved."""
    registry = RegistryStore(work.connection, work.workspace_id)
    model = registry.model_row(request.model)
    if request.level == 3:
        _check_standing(work, request, model.risk_tier)
    store = _store(work)
    fields = msgspec.to_builtins(request)
    fields["deployment"] = request.deployment or request.model
    store.put_policy(
        store.find_policy(request.model),
        {**fields, "set_by": work.actor.name, "recorded_at": work.now},
    )
    work.announce(
        "retraining_policy.set",
        ("model", request.model),
        request.model,
        level=request.level,
        meaning=LEVELS[request.level],
        recipe=request.recipe,
        recipe_file=request.recipe_file,
        policy=request.policy,
    )
    return policy_of(store.find_policy(request.model))


def _check_standing(work: Work, request: contract.SetPolicy, risk_tier: str) -> None:
    fix = "mainspring policy propose NAME --model MODEL; then another person: policy approve NAME"
    if request.policy is None:
        raise Blocked(
            "level 3 needs a standing policy that a person has approved",
            ["no policy was named"],
            field="policy",
            fix=fix,
        )
    promotions = PromotionStore(work.connection, work.workspace_id)
    standing = standing_policy(promotions.policy_row(request.policy))
    reasons = policy_blockers(standing, request.model, "production", risk_tier, work.now)
    if reasons:
        raise Blocked(
            f"level 3 is refused for {request.model!r}: {'; '.join(reasons)}", reasons, fix=fix
        )


@performs(contract.show_policy)
def show_policy(work: Work, request: contract.NameModel) -> RetrainingPolicy:
    """How a model is retrained."""
    return policy_of(_policy(work, request.model))


def _policy(work: Work, model: str) -> Any:
    row = _store(work).find_policy(model)
    if row is None:
        raise NotFound(
            f"model {model!r} has no retraining policy",
            field="model",
            fix=f"mainspring retrain policy {model} --level 1 --recipe MODULE:FUNCTION",
        )
    return row


def _add(work: Work, policy: Any, state: str, **values: Any) -> Retraining:
    store = _store(work)
    public_id = new_id()
    row = {
        "public_id": public_id,
        "model": policy.model,
        "deployment": policy.deployment,
        "state": state,
        "level": policy.level,
        "requested_by": work.actor.name,
        "outcome": "",
        "recorded_at": work.now,
        **values,
    }
    store.add(row)
    _announce(work, row, state, reason=row["reason"])
    return retraining_of(store.row(public_id))


def _announce(work: Work, row: Any, state: str, **facts: Any) -> None:
    values = row if isinstance(row, dict) else row._mapping  # noqa: SLF001  the row's public view
    work.announce_fully(
        Announcement(
            kind=f"retraining.{state}",
            subject_kind="retraining",
            subject=values["public_id"],
            model=values["model"],
            facts=facts,
            event_time=values["event_time"],
        )
    )


@performs(contract.request_retraining)
def request_retraining(work: Work, request: contract.RequestRetraining) -> Retraining:
    """A person asks; cooldown is for alerts, but two at once are too many for anybody."""
    policy = _policy(work, request.model)
    for row in _store(work).rows(request.model):
        if row.state in ACTIVE:
            raise Conflict(
                f"retraining {row.public_id} of {request.model!r} is {row.state}",
                field="model",
                fix=f"mainspring retrain cancel {row.public_id}",
            )
    until = request.until or work.now
    return _add(work, policy, "requested", reason=request.reason, event_time=until)


@performs(contract.trigger)
def trigger(work: Work, request: contract.Trigger) -> Done:
    """Do what the level says, unless the brakes hold."""
    store = _store(work)
    policy = store.find_policy(request.model)
    alert = MonitoringStore(work.connection, work.workspace_id).alert_row(request.alert)
    if policy is None or alert.kind not in policy.triggers:
        return Done(count=0)
    state = first_state(policy.level)
    if state is None:
        return Done(count=0)
    attempts = [Attempt(row.state, row.event_time) for row in reversed(store.rows(request.model))]
    brakes = Brakes(dt.timedelta(days=policy.cooldown_days), policy.max_attempts)
    reasons = held_back(brakes, attempts, alert.continued_at)
    if reasons:
        work.announce("retraining.held", ("alert", request.alert), request.model, reasons=reasons)
        return Done(count=0)
    _add(
        work,
        policy,
        state,
        reason=f"alert of {alert.monitor!r}: {alert.reason}",
        alert=request.alert,
        alert_at=alert.raised_at,
        event_time=alert.continued_at,
    )
    return Done()


@performs(contract.accept)
def accept(work: Work, request: contract.NameRetraining) -> Retraining:
    """Start what was proposed."""
    store = _store(work)
    row = store.row(request.retraining)
    if row.state != "proposed":
        raise Conflict(
            f"retraining {row.public_id} is {row.state}, wanted proposed", field="retraining"
        )
    store.update(row.id, state="requested", requested_by=work.actor.name)
    _announce(work, row, "requested", reason=row.reason)
    return retraining_of(store.row(request.retraining))


@performs(contract.cancel)
def cancel(work: Work, request: contract.NameRetraining) -> Retraining:
    """Drop it; a training that runs finishes, and its version stays unpromoted."""
    store = _store(work)
    row = store.row(request.retraining)
    if row.state not in ACTIVE:
        raise Conflict(f"retraining {row.public_id} is {row.state} already", field="retraining")
    store.update(row.id, state="cancelled", finished_at=work.now)
    _announce(work, row, "cancelled")
    return retraining_of(store.row(request.retraining))


@performs(contract.show_retraining)
def show_retraining(work: Work, request: contract.NameRetraining) -> Retraining:
    """One retraining."""
    return retraining_of(_store(work).row(request.retraining))


@performs(contract.list_retrainings)
def list_retrainings(work: Work, request: contract.ListRetrainings) -> list[Retraining]:
    """Newest first."""
    return [retraining_of(row) for row in _store(work).rows(request.model, request.limit)]


@performs(contract.advance)
def advance(work: Work, request: contract.Advance) -> Done:
    """Record a step; one that came too late, or belongs to no retraining, changes nothing."""
    store = _store(work)
    row = _named(store, request)
    if row is None or row.state == request.state or not may_advance(row.state, request.state):
        return Done(count=0)
    values: dict[str, Any] = {"state": request.state}
    for name in ("run", "version", "promotion"):
        if getattr(request, name) is not None:
            values[name] = getattr(request, name)
    if request.outcome:
        values["outcome"] = request.outcome
    if request.state not in ACTIVE:
        values["finished_at"] = work.now
    store.update(row.id, **values)
    facts = {
        name: values[name] for name in ("run", "version", "promotion", "outcome") if name in values
    }
    _announce(work, row, request.state, **facts)
    return Done()


def _named(store: RetrainingStore, request: contract.Advance) -> Any | None:
    if request.retraining is not None:
        return store.row(request.retraining)
    if request.model is not None and request.version is not None:
        return store.by_version(request.model, request.version)
    raise Invalid("name the retraining by its id, or by model and version", field="retraining")
