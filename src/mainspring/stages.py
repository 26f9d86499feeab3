"""The stages of the house, listed once: their contracts, services and reactions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mainspring.core.operation import Operation, operations_in

CONTRACTS = (
    "administration.contract",
    "administration.group_contract",
    "administration.erasure_contract",
    "administration.account_contract",
    "administration.session_contract",
    "tracking.contract",
    "tracking.experiment_contract",
    "tracking.dataset_contract",
    "tracking.artifact_contract",
    "tracking.model_contract",
    "tracking.search_contract",
    "tracking.surroundings_contract",
    "registry.contract",
    "registry.catalog_contract",
    "registry.search_contract",
    "registry.requirement_contract",
    "registry.standing_contract",
    "registry.comparison_contract",
    "registry.override_contract",
    "registry.protection_contract",
    "registry.field_contract",
    "registry.stage_contract",
    "registry.gate_contract",
    "registry.rota_contract",
    "registry.engine_contract",
    "deployment.contract",
    "monitoring.contract",
    "monitoring.label_contract",
    "retraining.contract",
    "incidents.contract",
    "governance.contract",
    "webhooks.contract",
)
SERVICES = (
    "administration.service",
    "administration.audit_service",
    "administration.group_service",
    "administration.erasure_service",
    "administration.account_service",
    "administration.session_service",
    "administration.password_service",
    "tracking.service",
    "tracking.experiment_service",
    "tracking.dataset_service",
    "tracking.artifact_service",
    "tracking.model_service",
    "tracking.search_service",
    "tracking.surroundings_service",
    "registry.service",
    "registry.catalog_service",
    "registry.search_service",
    "registry.suite_service",
    "registry.promotion_service",
    "registry.policy_service",
    "registry.requirement_service",
    "registry.standing_service",
    "registry.comparison_service",
    "registry.override_service",
    "registry.protection_service",
    "registry.field_service",
    "registry.stage_service",
    "registry.gate_service",
    "registry.rota_service",
    "registry.engine_service",
    "deployment.service",
    "monitoring.service",
    "monitoring.label_service",
    "monitoring.alert_service",
    "monitoring.schedule_service",
    "retraining.service",
    "incidents.service",
    "governance.service",
    "webhooks.service",
)
REACTIONS = (
    "validation.reactions",
    "deployment.reactions",
    "monitoring.reactions",
    "retraining.reactions",
    "incidents.reactions",
    "webhooks.reactions",
)
ERASING = (
    "tracking.login",
    "registry.ownership",
)
"""What has a say when a person is erased."""


def operations() -> dict[str, Operation[Any, Any]]:
    """Every operation by name; loads the contracts alone."""
    modules = [import_module(f"mainspring.{name}") for name in CONTRACTS]
    return {operation.name: operation for operation in operations_in(*modules)}


def load() -> None:
    """Load what performs the operations and what reacts to events: only a server needs it."""
    for name in SERVICES + REACTIONS + ERASING:
        import_module(f"mainspring.{name}")
