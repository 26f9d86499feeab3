"""Gates of a workspace: what it asks of every model, or of those of a risk tier, beside their suites."""

from __future__ import annotations

from mainspring.core.errors import Conflict
from mainspring.core.event import Announcement
from mainspring.core.work import Work, performs
from mainspring.registry import gate_contract as contract
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.promotion_store import EVERY_MODEL, PromotionStore, suite_row_of
from mainspring.registry.record import SuiteRow
from mainspring.registry.service import suite_digest
from mainspring.registry.stage_store import checked_target
from mainspring.registry.suite_service import checked_approvers, checked_names, demanded, row_of


@performs(contract.list_gates)
def list_gates(work: Work, request: contract.ListGates) -> list[SuiteRow]:
    """Newest first."""
    store = PromotionStore(work.connection, work.workspace_id)
    return [suite_row_of(row) for row in store.gate_rows()]


@performs(contract.declare_gate)
def declare_gate(work: Work, request: contract.DeclareGate) -> SuiteRow:
    """Record it with the server's time; its checks are for what is trained from now on."""
    checked_target(work, request.stage)
    names = checked_names(request)
    checked_approvers(work, request)
    store = PromotionStore(work.connection, work.workspace_id)
    digest = suite_digest(request)
    same = [row for row in store.gate_rows(request.stage) if row.risk_tier == request.risk_tier]
    if not same:
        _refuse_too_late(work, request)
    if not same or same[0].digest != digest:
        row = row_of(work, request, digest)
        store.add_suite({"model": EVERY_MODEL, "risk_tier": request.risk_tier, **row})
        work.announce_fully(
            Announcement(
                kind="gate.declared",
                subject_kind="gate",
                subject=request.stage,
                model=None,
                facts={"risk_tier": request.risk_tier, "checks": names, **demanded(request)},
                digest_before=same[0].digest if same else None,
                digest_after=digest,
            )
        )
    newest = [row for row in store.gate_rows(request.stage) if row.risk_tier == request.risk_tier]
    return suite_row_of(newest[0])


def _refuse_too_late(work: Work, request: contract.DeclareGate) -> None:
    """What is in the stage and passed no gate would count as if it had."""
    catalog = CatalogStore(work.connection, work.workspace_id)
    unproven = catalog.unproven(request.stage, risk_tier=request.risk_tier)
    if unproven:
        model, number = unproven[0]
        raise Conflict(
            f"{model}@{number} is in {request.stage} and has passed no gate; "
            "one can be declared when it is out",
            field="stage",
            fix=f"mainspring model move {model}@{number} --stage archived",
        )
