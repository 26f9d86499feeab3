"""What the built-in checks may be told. No numpy here: a suite is read when it is declared."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mainspring.core.errors import Invalid

Metric = Literal["auc", "accuracy", "log_loss", "brier", "rmse", "mae"]
HIGHER_IS_BETTER: frozenset[Metric] = frozenset({"auc", "accuracy"})
REGRESSION: frozenset[Metric] = frozenset({"rmse", "mae"})
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Performance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A limit for one metric: `minimum` for auc and accuracy, `maximum` for the losses."""

    metric: Metric
    minimum: float | None = None
    maximum: float | None = None
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = 0.05
    min_rows: Annotated[int, msgspec.Meta(ge=2)] = 200
    min_positives: Annotated[int, msgspec.Meta(ge=2)] = 20
    """Also asked of the negatives; ignored for a regression."""

    def __post_init__(self) -> None:
        wanted, other = ("minimum", "maximum") if self.higher_is_better else ("maximum", "minimum")
        if getattr(self, other) is not None:
            raise Invalid(f"{self.metric} has no {other}", field=other, fix=f"give a {wanted}")
        if getattr(self, wanted) is None:
            raise Invalid(f"{self.metric} needs a {wanted}, found none", field=wanted)

    @property
    def higher_is_better(self) -> bool:
        return self.metric in HIGHER_IS_BETTER

    @property
    def limit(self) -> float:
        limit = self.minimum if self.higher_is_better else self.maximum
        assert limit is not None  # __post_init__ saw to it
        return limit


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much of a column may be strange; the defaults let seasons pass, and no broken column."""

    max_missing_rise: Share = 0.2
    """Over the share that was missing in training."""
    max_out_of_range: Share = 0.01
    range_margin: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    """The range is that of training, wider by this share of it at both ends."""
    max_unseen: Share = 0.01
    """Of values that are no category of the model."""


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A limit for the 99th percentile of calls of `rows` rows each."""

    p99_ms: Annotated[float, msgspec.Meta(gt=0)]
    rows: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    # A 99th percentile of fewer calls is merely their maximum.
    calls: Annotated[int, msgspec.Meta(ge=100, le=10_000)] = 300
    warm_up: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 20


class NonInferiority(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`margin`: AUC points that may be lost; for a regression a share of the squared error."""

    margin: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.01
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = 0.05
    min_rows: Annotated[int, msgspec.Meta(ge=2)] = 200
    min_positives: Annotated[int, msgspec.Meta(ge=2)] = 20
