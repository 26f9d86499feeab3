"""Does the hold-out look like data that the candidate may be used on?"""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.validation.check import Evidence, Finding, takes
from mainspring.validation.parameters import Data as Parameters

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

KINDS = {"BOOL": "b", "INT64": "iu", "FP32": "fiu", "FP64": "fiu", "BYTES": "OUT"}
"""The numpy kinds that may stand for a datatype."""


class TrainedColumn(msgspec.Struct, frozen=True):
    """What this check reads of a column's training profile; the profile holds more."""

    name: str
    n: int
    counts: tuple[int, ...]
    minimum: float | None = None
    maximum: float | None = None


class TrainingProfile(msgspec.Struct, frozen=True):
    """The columns of the profile that was taken of the training data."""

    columns: tuple[TrainedColumn, ...]


@takes(Parameters)
def check(evidence: Evidence, parameters: Parameters) -> Finding:
    """Hold each input column against the signature and the training profile."""
    columns = evidence.candidate.signature.inputs
    faults = [fault for column in columns for fault in _schema_faults(column, evidence)]
    measurements: dict[str, float | int | str | None] = {
        "rows": len(evidence.holdout),
        "columns": len(columns),
        "faults": len(faults),
    }
    if faults:
        return Finding("failed", "; ".join(faults), measurements)
    if len(evidence.holdout) == 0:
        return Finding("not_enough_data", "the hold-out has no rows", measurements)
    if evidence.training_profile is None:
        reason = "the schema fits, but without a training profile no range can be judged"
        return Finding("not_enough_data", reason, measurements)
    trained = {column.name: column for column in _read(evidence.training_profile).columns}
    for column in columns:
        values = evidence.holdout.inputs[column.name]
        shares = _shares(column, values, trained.get(column.name), parameters)
        faults += _share_faults(column.name, shares, parameters)
        for kind, share in shares.items():
            worst = measurements.get(f"largest_{kind}")
            if not isinstance(worst, float) or share > worst:
                measurements[f"largest_{kind}"] = share
    measurements["faults"] = len(faults)
    if faults:
        return Finding("failed", "; ".join(faults), measurements)
    reason = f"{len(columns)} columns of {len(evidence.holdout):,} rows fit schema and ranges"
    return Finding("passed", reason, measurements)


def _read(profile: dict[str, Any]) -> TrainingProfile:
    try:
        return msgspec.convert(profile, TrainingProfile)
    except msgspec.ValidationError as error:
        raise Invalid(
            f"this is not a training profile: {error}", field="training_profile"
        ) from error


def _schema_faults(column: Column, evidence: Evidence) -> list[str]:
    values = evidence.holdout.inputs.get(column.name)
    if values is None:
        return [f"the column {column.name!r} is missing"]
    if len(values) != len(evidence.holdout):
        return [f"{column.name!r} has {len(values)} values for {len(evidence.holdout)} rows"]
    if values.dtype.kind not in KINDS[column.datatype]:
        return [f"{column.name!r} is {values.dtype}, the model takes {column.datatype}"]
    missing = missing_in(values)
    wrong = column.datatype == "BYTES" and not all(
        isinstance(value, str) for value in values[~missing].tolist()
    )
    if wrong:
        return [f"{column.name!r} holds values that are not text"]
    if missing.any() and not column.nullable:
        return [f"{column.name!r} lacks {int(missing.sum())} values and may lack none"]
    return []


def _shares(
    column: Column, values: np.ndarray, trained: TrainedColumn | None, parameters: Parameters
) -> dict[str, float]:
    """The strange shares of one column, as far as they can be told."""
    missing = missing_in(values)
    shares: dict[str, float] = {}
    if column.categories:
        known = set(column.categories)
        unseen = sum(value not in known for value in values[~missing].tolist())
        shares["unseen"] = unseen / len(values)
    if trained is None:
        return shares
    shares["missing_rise"] = max(0.0, float(missing.mean()) - trained.counts[-1] / trained.n)
    if trained.minimum is not None and trained.maximum is not None:
        slack = parameters.range_margin * (trained.maximum - trained.minimum)
        numbers = values[~missing].astype(np.float64)
        outside = (numbers < trained.minimum - slack) | (numbers > trained.maximum + slack)
        shares["out_of_range"] = float(np.count_nonzero(outside)) / len(values)
    return shares


def _share_faults(name: str, shares: dict[str, float], parameters: Parameters) -> list[str]:
    words = {
        "unseen": ("categories the model never saw", parameters.max_unseen),
        "missing_rise": ("more missing values than in training", parameters.max_missing_rise),
        "out_of_range": ("values out of the training range", parameters.max_out_of_range),
    }
    return [
        f"{name!r} has {share:.1%} {words[kind][0]}, allowed {words[kind][1]:.1%}"
        for kind, share in shares.items()
        if share > words[kind][1]
    ]


def missing_in(values: np.ndarray) -> np.ndarray:
    """Which values are NaN, or None among text."""
    if values.dtype.kind in "biuf":
        missing: np.ndarray = np.isnan(values.astype(np.float64))
        return missing
    return np.array([_is_missing(value) for value in values.tolist()], dtype=bool)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
