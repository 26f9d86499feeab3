"""How well a deployment did in a stretch of event time, by the labels known at one moment."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from mainspring.monitoring.joining import Truth
from mainspring.monitoring.labelled import Known
from mainspring.monitoring.performance import realised
from mainspring.monitoring.reference import Reference

Span = tuple[dt.datetime, dt.datetime]


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads the log of one deployment with the truth that is known of it."""

    log: Path
    known: Known
    at: dt.datetime
    """The moment, by the data's clock, by which a label has come or not."""

    def all(self, reference: Reference, span: Span) -> dict[str, Any]:
        """Of all that was predicted, whichever version did."""
        return self._performance(reference, *self._rows(reference, span))

    def own(self, reference: Reference, span: Span) -> dict[str, Any]:
        """Of what this version itself predicted."""
        rows, truth = self._rows(reference, span)
        mine = pa.compute.equal(rows["version"], str(reference.version.version))
        return self._performance(reference, rows.filter(mine), truth.where(mine.to_numpy()))

    def _rows(self, reference: Reference, span: Span) -> tuple[pa.Table, Truth]:
        return self.known.predictions(self.log, *span, ["version", f"output.{reference.output}"])

    def _performance(self, reference: Reference, rows: pa.Table, truth: Truth) -> dict[str, Any]:
        score = rows[f"output.{reference.output}"].to_numpy()
        binary = reference.version.task == "binary"
        found = realised(truth.value, score, "binary" if binary else "regression")
        said: dict[str, Any] = {
            "predictions": found.predictions,
            "labelled": found.labelled,
            "coverage": msgspec.structs.asdict(self.known.coverage(rows, truth, self.at)),
            "label_mean": found.label_mean,
            "score_mean": found.score_mean,
            "reason": found.lack,
        }
        for name, estimate in found.estimates.items():
            said[name] = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        return said | _drop(reference.holdout_auc, said.get("auc"))


def _drop(expected: float | None, auc: Any) -> dict[str, Any]:
    """How much the AUC is below the one on the hold-out."""
    if expected is None or auc is None:
        return {}
    low, high = expected - auc["high"], expected - auc["low"]
    return {"auc_drop": {"value": expected - auc["value"], "low": low, "high": high}}
