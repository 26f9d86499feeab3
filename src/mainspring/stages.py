"""The stages of the house, listed once: their contracts, services and reactions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mainspring.core.operation import Operation, operations_in

CONTRACTS = (
    "administration",
    "tracking",
    "registry",
    "deployment",
    "monitoring",
    "retraining",
    "incidents",
)
SERVICES = (
    "administration.service",
    "tracking.service",
    "registry.service",
    "registry.suite_service",
    "registry.promotion_service",
    "registry.policy_service",
    "deployment.service",
    "monitoring.service",
    "monitoring.alert_service",
    "monitoring.schedule_service",
    "retraining.service",
    "incidents.service",
)
REACTIONS = (
    "validation.reactions",
    "deployment.reactions",
    "monitoring.reactions",
    "retraining.reactions",
    "incidents.reactions",
)


def operations() -> dict[str, Operation[Any, Any]]:
    """Every operation by name; loads the contracts alone."""
    modules = [import_module(f"mainspring.{name}.contract") for name in CONTRACTS]
    return {operation.name: operation for operation in operations_in(*modules)}


def load() -> None:
    """Load what performs the operations and what reacts to events: only a server needs it."""
    for name in SERVICES + REACTIONS:
        import_module(f"mainspring.{name}")
