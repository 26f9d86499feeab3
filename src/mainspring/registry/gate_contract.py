"""What may be asked about the gates that a workspace puts before every model, or those of a risk tier."""

from __future__ import annotations

from mainspring.core.operation import Operation, Request
from mainspring.registry.contract import Demands
from mainspring.registry.promotion import RiskTier
from mainspring.registry.record import SuiteRow


class ListGates(Request, frozen=True, kw_only=True):
    """Those of the workspace, newest first."""


class DeclareGate(Demands, frozen=True, kw_only=True):
    """What every model has to pass before a stage, beside the suite of its own."""

    risk_tier: RiskTier | None = None
    """Which models it is for; without one it is for all."""


list_gates = Operation(
    "gates.list", "GET", "/gates", ListGates, list[SuiteRow],
    allow="read", summary="List what the workspace asks of its models, newest first.",
)  # fmt: skip
declare_gate = Operation(
    "gates.declare", "POST", "/gates", DeclareGate, SuiteRow,
    allow="admin", summary="Declare what a stage asks of every model, or of a risk tier.",
    decision=True,
)  # fmt: skip
