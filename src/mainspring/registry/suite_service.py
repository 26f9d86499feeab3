"""Suites: what a stage asks of a model's versions, declared before training."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.administration.group_store import group_names
from mainspring.core.access import PEOPLES_ROLES, ROLES
from mainspring.core.errors import Conflict, Invalid
from mainspring.core.event import Announcement
from mainspring.core.plugins import installed, plug
from mainspring.core.text import closest
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.promotion_store import PromotionStore, suite_row_of
from mainspring.registry.record import CheckSpec, SuiteRow
from mainspring.registry.service import SINCE, checked_alias_free, suite_digest
from mainspring.registry.stage_store import checked_target
from mainspring.registry.store import RegistryStore


@performs(contract.declare_suite)
def declare_suite(work: Work, request: contract.DeclareSuite) -> SuiteRow:
    """Record the suite with the server's time; what is the newest already is not repeated."""
    checked_alias_free(request.model)
    checked_target(work, request.stage)
    names = checked_names(request)
    store = PromotionStore(work.connection, work.workspace_id)
    digest = suite_digest(request)
    newest = store.suite_rows(request.model, request.stage)[:1]
    checked_approvers(work, request)
    _held_to_approvers(work, request, newest)
    if not newest:
        _refuse_too_late(work, request)
    if not newest or newest[0].digest != digest:
        store.add_suite({"model": request.model, **row_of(work, request, digest)})
        work.announce_fully(
            Announcement(
                kind="suite.declared",
                subject_kind="suite",
                subject=f"{request.model}/{request.stage}",
                model=request.model,
                facts={"checks": names, **demanded(request)},
                digest_before=newest[0].digest if newest else None,
                digest_after=digest,
            )
        )
    return suite_row_of(store.suite_rows(request.model, request.stage)[0])


def row_of(work: Work, request: contract.Demands, digest: str) -> dict[str, Any]:
    """What is written down of a suite, whosever it is."""
    return {
        "stage": request.stage,
        "digest": digest,
        "checks": msgspec.to_builtins(request.checks),
        **demanded(request),
        "declared_by": work.actor.name,
        "recorded_at": work.now,
    }


def demanded(request: contract.Demands) -> dict[str, Any]:
    """What a suite asks beside its checks."""
    return {name: getattr(request, name) for name in ("approvals", *SINCE)}


def checked_approvers(work: Work, request: contract.Demands) -> None:
    """Refuse roles that cannot approve, groups and service accounts that there are not."""
    groups = {f"group:{name}" for name in group_names(work.connection, work.workspace_id)}
    able = [role for role in PEOPLES_ROLES if "approve" in ROLES[role]]
    for name in request.approvers:
        if name not in groups and name not in able:
            raise Invalid(
                f"nobody approves as {name!r}{closest(name, [*able, *sorted(groups)])}; roles that "
                f"may: {', '.join(able)}; groups are named group:NAME",
                field="approvers",
                fix="mainspring groups create NAME",
            )
    known = PromotionStore(work.connection, work.workspace_id).working(request.services)
    strange = [name for name in request.services if name not in known]
    if strange:
        raise Invalid(f"no service account is called {strange[0]!r}", field="services")


def checked_names(request: contract.Demands) -> list[str]:
    """The names of checks that there are, each once, with parameters that they take."""
    names = [check.name for check in request.checks]
    if len(set(names)) < len(names):
        raise Invalid("a suite names each check once", field="checks")
    plugs = installed("checks")
    for name in names:
        if ":" not in name and name not in plugs:
            raise Invalid(
                f"no check {name!r}{closest(name, plugs)}; installed: {', '.join(plugs)}; "
                "a function of yours is module:function",
                field="checks",
            )
    for check in request.checks:
        _read_parameters(check)
    return names


def _held_to_approvers(work: Work, request: contract.DeclareSuite, newest: list[Any]) -> None:
    """Whoever makes the gate easier to pass has to be one who may approve."""
    if request.stage == "production" and request.approvals < (newest[0].approvals if newest else 1):
        work.actor.require("approve", "asking for fewer approvals than before")
    if request.override_hours is not None and (
        not newest or newest[0].override_hours != request.override_hours
    ):
        work.actor.require("approve", "allowing a way past the gate")
    before = newest[0] if newest else None
    if set(request.services) - set(before.services if before else ()):
        work.actor.require("approve", "letting a service account approve")
    if before is not None and _is_laxer(request, before):
        work.actor.require("approve", "asking for less than before")


def _is_laxer(request: contract.DeclareSuite, before: Any) -> bool:
    """Whether fewer of the right people have to agree, or older findings count."""
    fewer = any(request.approvers.get(name, 0) < count for name, count in before.approvers.items())
    return fewer or any(
        was is not None and (wanted is None or wanted > was)
        for was, wanted in (
            (before.verdict_hours, request.verdict_hours),
            (before.training_days, request.training_days),
        )
    )


def _refuse_too_late(work: Work, request: contract.DeclareSuite) -> None:
    """A gate is put up only where nothing is that did not pass it, and not around a prompt."""
    model = RegistryStore(work.connection, work.workspace_id).find_model(request.model)
    if model is not None and model.kind == "prompt":
        raise Conflict(f"{request.model!r} is a prompt, and prompts have no stages", field="model")
    catalog = CatalogStore(work.connection, work.workspace_id)
    unproven = [number for _, number in catalog.unproven(request.stage, request.model)]
    if unproven:
        raise Conflict(
            f"{request.model}@{unproven[0]} is in {request.stage} and has passed no gate; "
            "a suite can be declared when it is out",
            field="stage",
            fix=f"mainspring model move {request.model}@{unproven[0]} --stage archived",
        )


def _read_parameters(check: CheckSpec) -> None:
    """Refuse parameters that do not fit now, and not when a model has been trained for the suite."""
    if check.name not in installed("check_parameters"):
        return
    try:
        msgspec.convert(check.parameters, plug("check_parameters", check.name))
    except msgspec.ValidationError as error:
        raise Invalid(f"the parameters of check {check.name!r}: {error}", field="checks") from error
    except Invalid as error:
        raise Invalid(
            f"the parameters of check {check.name!r}: {error.message}",
            field="checks",
            fix=error.fix,
        ) from error


@performs(contract.list_suites)
def list_suites(work: Work, request: contract.NameModel) -> list[SuiteRow]:
    """Newest first."""
    store = PromotionStore(work.connection, work.workspace_id)
    return [suite_row_of(row) for row in store.suite_rows(request.model)]
