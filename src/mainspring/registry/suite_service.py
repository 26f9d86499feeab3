"""Suites: what a stage asks of a model's versions, declared before training."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.errors import Conflict, Invalid
from mainspring.core.event import Announcement
from mainspring.core.plugins import installed, plug
from mainspring.core.text import closest
from mainspring.core.work import Work, performs
from mainspring.registry import contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.contract import CheckSpec, SuiteRow
from mainspring.registry.promotion_store import PromotionStore, suite_row_of
from mainspring.registry.service import checked_alias_free, suite_digest
from mainspring.registry.store import RegistryStore


@performs(contract.declare_suite)
def declare_suite(work: Work, request: contract.DeclareSuite) -> SuiteRow:
    """Record the suite with the server's time; what is the newest already is not repeated."""
    checked_alias_free(request.model)
    names = _checked_names(request)
    store = PromotionStore(work.connection, work.workspace_id)
    digest = suite_digest(request)
    newest = store.suite_rows(request.model, request.stage)[:1]
    _held_to_approvers(work, request, newest)
    if not newest:
        _refuse_too_late(work, request)
    if not newest or newest[0].digest != digest:
        store.add_suite(
            {
                "model": request.model,
                "stage": request.stage,
                "digest": digest,
                "checks": msgspec.to_builtins(request.checks),
                "approvals": request.approvals,
                "override_hours": request.override_hours,
                "declared_by": work.actor.name,
                "recorded_at": work.now,
            }
        )
        work.announce_fully(
            Announcement(
                kind="suite.declared",
                subject_kind="suite",
                subject=f"{request.model}/{request.stage}",
                model=request.model,
                facts={
                    "checks": names,
                    "approvals": request.approvals,
                    "override_hours": request.override_hours,
                },
                digest_before=newest[0].digest if newest else None,
                digest_after=digest,
            )
        )
    return suite_row_of(store.suite_rows(request.model, request.stage)[0])


def _checked_names(request: contract.DeclareSuite) -> list[str]:
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


def _refuse_too_late(work: Work, request: contract.DeclareSuite) -> None:
    """A gate is put up only where nothing is that did not pass it, and not around a prompt."""
    model = RegistryStore(work.connection, work.workspace_id).find_model(request.model)
    if model is not None and model.kind == "prompt":
        raise Conflict(f"{request.model!r} is a prompt, and prompts have no stages", field="model")
    catalog = CatalogStore(work.connection, work.workspace_id)
    unproven = catalog.unproven(request.model, request.stage)
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
