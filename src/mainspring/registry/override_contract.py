"""What may be asked of break-glass: past a gate with a reason, until a second person stands by it."""

from __future__ import annotations

from mainspring.core.operation import Operation
from mainspring.registry.contract import NamePromotion, NameVersion, Promotion, Reason, TargetStage


class Override(NameVersion, frozen=True, kw_only=True):
    """A version that goes into a stage past its gate, now."""

    stage: TargetStage = "production"
    reason: Reason


class Confirm(NamePromotion, frozen=True, kw_only=True):
    """A second person stands by what went past the gate."""

    reason: Reason


class Comment(NamePromotion, frozen=True, kw_only=True):
    """Words on a promotion; they decide nothing."""

    text: Reason


override = Operation(
    "promotion.override", "POST", "/models/{model}/versions/{version}/overrides",
    Override, Promotion,
    allow="deploy", summary="Break the glass: move a version past its gate, with a reason.",
    decision=True,
)  # fmt: skip
confirm = Operation(
    "promotion.confirm", "POST", "/promotions/{promotion}/confirmation", Confirm, Promotion,
    allow="approve", summary="Stand by what another person moved past the gate.", decision=True,
)  # fmt: skip
comment = Operation(
    "promotion.comment", "POST", "/promotions/{promotion}/comments", Comment, Promotion,
    allow="request", summary="Say something about a promotion; it decides nothing.",
)  # fmt: skip
