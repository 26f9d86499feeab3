"""Which engine answers how many rows of a version, and what was measured; needs no numpy."""

from __future__ import annotations

from typing import Literal

import msgspec

EngineName = Literal["native", "onnx"]
Precision = Literal["FP32", "FP64"]
SIZES = (1, 32, 1000)
"""Rows of a call at which both engines are timed."""


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a conversion may be from the native engine. Shares are of rows."""

    eps: float = 1e-5
    """What two numbers may differ by: absolutely up to 1, relatively beyond."""
    over: float = 0.005
    """The largest share of rows in which a number differs by more."""
    flips: float = 0.0005
    """The largest share of rows that get another label."""
    metric: float = 0.001
    """What the error on known labels may change by, see `parity.judge`."""
    rows: int = 200
    """Fewer rows prove nothing."""


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found where a conversion was held against the native engine."""

    within: bool
    """Whether it is within the budget."""
    rows: int
    largest: float | None
    """The largest difference of two numbers, in the measure of `Budget.eps`; None without any."""
    over: float
    flips: float
    metric_delta: float | None
    """None where no labels are known."""
    reasons: tuple[str, ...] = ()
    """What is beyond the budget, in words."""


class Timed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls with one number of rows: the medians in seconds, and who is to answer them."""

    rows: int
    native_s: float
    onnx_s: float | None
    chosen: EngineName


class EngineTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The engines of one version as they were measured when it was registered."""

    native: str
    """The name of the version's own engine."""
    sizes: tuple[Timed, ...] = ()
    """Empty if nothing could be timed."""
    reason: str
    """Why these engines were chosen, in words."""
    precision: Precision | None = None
    """What numbers the conversion computes with; None without one."""
    parity: Parity | None = None
    budget: Budget = Budget()
    rows: str = ""
    """Where the rows came from that it was measured with."""
    libraries: tuple[tuple[str, str], ...] = ()
    """The packages that took part, with their versions."""

    @property
    def uses_onnx(self) -> bool:
        """Whether the conversion answers anything."""
        return any(size.chosen == "onnx" for size in self.sizes)
