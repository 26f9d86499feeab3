"""What may be asked about a version's standing: blocked, let go, revoked."""

from __future__ import annotations

from mainspring.core.operation import Operation
from mainspring.registry.contract import NameVersion, Reason
from mainspring.registry.model import ModelVersion


class Judge(NameVersion, frozen=True, kw_only=True):
    """A version, and why."""

    reason: Reason


block = Operation(
    "model.block", "POST", "/models/{model}/versions/{version}/block", Judge, ModelVersion,
    allow="validate", summary="Hold a version back: it enters no stage and gets no new deployment.",
    decision=True,
)  # fmt: skip
unblock = Operation(
    "model.unblock", "POST", "/models/{model}/versions/{version}/release", Judge, ModelVersion,
    allow="approve", summary="Let a blocked version go that another person made.", decision=True,
)  # fmt: skip
revoke = Operation(
    "model.revoke", "POST", "/models/{model}/versions/{version}/revocation", Judge, ModelVersion,
    allow="approve", summary="Never use a version again; nobody takes that back.", decision=True,
)  # fmt: skip
