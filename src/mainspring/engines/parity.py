"""Whether a converted model answers as the native engine does, within a budget.

The rule is a budget and never "the largest difference is below eps": a float32 value that falls on
the other side of a split changes a few rows by much and nearly all by nothing. In a pipeline of
one-hot encoding, scaling and a random forest 6 of 5,000 rows differed by more than 1e-5, by up to
0.05, and no label flipped. So three shares are held against limits of their own: rows that differ by
more than eps, rows whose label flips, and the change of the error where labels are known.

What cannot be judged is not within the budget.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mainspring.engines.table import Budget, Parity
from mainspring.engines.tensor import Array, Tensors

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
CUT = 0.5
"""The score from which a binary model is taken to say yes."""


def judge(
    native: Tensors,
    converted: Tensors,
    budget: Budget,
    *,
    task: str = "",
    labels: Array | None = None,
) -> Parity:
    """Hold the answers of a conversion against those of the native engine, for the same rows.

    `task` is the version's: of `binary` the only float output is a score, cut at 0.5; of
    `multiclass` the largest of several float outputs is the label; outputs that are no floats are
    labels by themselves. `labels` are the truth of the rows, or of the first of them: with them the
    change of the mean squared error (of a binary model: the Brier score) relative to the native one's,
    or of the share of wrong labels where the first output is one, has to be within `budget.metric`.
    """
    rows = len(next(iter(native.values()), ()))
    unlike = _unlike(native, converted)
    if not unlike and not rows:
        unlike = _too_few(rows, budget)
    if unlike:
        return Parity(
            within=False, rows=rows, largest=None, over=1.0, flips=1.0, metric_delta=None,
            reasons=(unlike,),
        )  # fmt: skip
    apart, lacking = _distances(native, converted, rows)
    flipped = _flipped(native, converted, task, rows)
    found = Parity(
        within=False,
        rows=rows,
        largest=_largest(apart),
        over=float((apart > budget.eps).mean()) if rows else 1.0,
        flips=float(flipped.mean()) if rows else 1.0,
        metric_delta=_metric_delta(native, converted, task, labels),
    )
    reasons = _reasons(found, budget, int(lacking.sum()))
    return Parity(
        within=not reasons, rows=rows, largest=found.largest, over=found.over, flips=found.flips,
        metric_delta=found.metric_delta, reasons=reasons,
    )  # fmt: skip


def _unlike(native: Tensors, converted: Tensors) -> str:
    """Why the two cannot be compared; empty if they can."""
    if native.keys() != converted.keys():
        return f"it answers {', '.join(converted)} instead of {', '.join(native)}"
    for name, values in native.items():
        other = converted[name]
        if values.shape != other.shape:
            return f"{name!r} has the shape {list(other.shape)} instead of {list(values.shape)}"
        if values.dtype != other.dtype:
            return f"{name!r} holds {other.dtype} instead of {values.dtype}"
    return "" if native else "it answers nothing"


def _distances(native: Tensors, converted: Tensors, rows: int) -> tuple[Floats, Flags]:
    """How far each row is apart, and which rows lack a number on one side alone."""
    apart, lacking = np.zeros(rows), np.zeros(rows, dtype=np.bool_)
    for name, values in native.items():
        if values.dtype.kind != "f":
            continue
        ours = values.astype(np.float64).reshape(rows, -1)
        theirs = converted[name].astype(np.float64).reshape(rows, -1)
        with np.errstate(invalid="ignore", over="ignore"):
            gaps = np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours))
        # The same infinity, and no number on either side, are no difference.
        gaps[(ours == theirs) | (np.isnan(ours) & np.isnan(theirs))] = 0.0
        one_sided = np.isnan(ours) != np.isnan(theirs)
        gaps[one_sided | np.isnan(gaps)] = np.inf
        apart = np.maximum(apart, gaps.max(axis=1, initial=0.0))
        lacking |= one_sided.any(axis=1)
    return apart, lacking


def _largest(apart: Floats) -> float | None:
    finite = apart[
        np.isfinite(apart)
    ]  # JSON has no infinity; such rows are counted among the others
    return float(finite.max()) if len(finite) else None


def _flipped(native: Tensors, converted: Tensors, task: str, rows: int) -> Flags:
    flipped = np.zeros(rows, dtype=np.bool_)
    for ours, theirs in zip(_decisions(native, task), _decisions(converted, task), strict=True):
        flipped |= (ours != theirs).reshape(rows, -1).any(axis=1)
    return flipped


def _decisions(outputs: Tensors, task: str) -> list[Array]:
    """What would be done upon the answers: the labels in them."""
    labels = [values for values in outputs.values() if values.dtype.kind != "f"]
    scores = [values for values in outputs.values() if values.dtype.kind == "f"]
    if task == "binary" and len(scores) == 1:
        labels.append(scores[0] >= CUT)
    elif task == "multiclass" and len(scores) > 1 and all(one.ndim == 1 for one in scores):
        labels.append(np.argmax(np.column_stack(scores), axis=1))
    return labels


def _metric_delta(
    native: Tensors, converted: Tensors, task: str, labels: Array | None
) -> float | None:
    if labels is None:
        return None
    name = next(iter(native))
    if native[name].ndim != 1 or not 0 < len(labels) <= len(native[name]):
        return None
    native, converted = ({name: one[name][: len(labels)]} for one in (native, converted))
    if native[name].dtype.kind != "f":
        wrong = [float((one[name] != labels).mean()) for one in (native, converted)]
        return abs(wrong[0] - wrong[1])
    if task not in ("binary", "regression") or labels.dtype.kind not in "biuf":
        return None
    truth = labels.astype(np.float64)
    known = np.isfinite(truth)
    if not known.any():
        return None
    errors = [_mean_square(one[name][known], truth[known]) for one in (native, converted)]
    delta = abs(errors[0] - errors[1])
    return delta / errors[0] if errors[0] > 0 else delta


def _mean_square(found: Array, truth: Floats) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.mean((found.astype(np.float64) - truth) ** 2))


def _reasons(found: Parity, budget: Budget, lacking: int) -> tuple[str, ...]:
    reasons = []
    if found.rows < budget.rows:
        reasons.append(_too_few(found.rows, budget))
    if lacking:
        reasons.append(f"{lacking} rows have no number on one side alone")
    if found.over > budget.over:
        reasons.append(
            f"{found.over:.2%} of the rows differ by more than {budget.eps:g}; "
            f"{budget.over:.2%} may"
        )
    if found.flips > budget.flips:
        reasons.append(f"{found.flips:.2%} of the rows get another label; {budget.flips:.2%} may")
    delta = found.metric_delta
    if delta is not None and not delta <= budget.metric:
        reasons.append(f"the error on known labels changes by {delta:.2%}; {budget.metric:.2%} may")
    return tuple(reasons)


def _too_few(rows: int, budget: Budget) -> str:
    return f"{rows} rows prove nothing; {budget.rows} are wanted"
