"""Is the candidate good enough on the hold-out, beyond what luck with the rows explains?

Controls: a candidate whose true value misses the limit passes with probability `alpha` at most.
"""

from __future__ import annotations

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.validation.check import (
    Evidence,
    Finding,
    judge,
    rows_to_decide,
    scores,
    takes,
)
from mainspring.validation.parameters import REGRESSION
from mainspring.validation.parameters import Performance as Parameters
from mainspring.validation.statistics import ESTIMATES


@takes(Parameters)
def check(evidence: Evidence, parameters: Parameters) -> Finding:
    """Compare the one-sided confidence bound of the metric with the limit."""
    if (parameters.metric in REGRESSION) != (evidence.task == "regression"):
        raise Invalid(
            f"the metric {parameters.metric!r} does not fit the task {evidence.task!r}",
            field="metric",
        )
    lack = shortage(evidence, parameters.min_rows, parameters.min_positives)
    if lack:
        return Finding("not_enough_data", lack, {"rows": len(evidence.holdout)})
    score = scores(evidence.candidate, evidence.holdout)
    if evidence.task == "binary":
        refuse_no_probability(score, evidence.candidate.signature.outputs[0].name)
    # A bound that errs in alpha of the cases is the end of a two-sided interval at 2 alpha.
    estimate = ESTIMATES[parameters.metric](evidence.holdout.label, score, 2 * parameters.alpha)
    outcome = judge(estimate, parameters.limit, higher_is_better=parameters.higher_is_better)
    word = "minimum" if parameters.higher_is_better else "maximum"
    reason = (
        f"{parameters.metric} {estimate.value:.4f}, {1 - 2 * parameters.alpha:.0%} interval "
        f"{estimate.low:.4f} to {estimate.high:.4f} on {estimate.n:,} rows, "
    )
    needed = rows_to_decide(estimate, parameters.limit)
    if outcome == "passed":
        reason += f"meets the {word} {parameters.limit:g}"
    elif outcome == "failed":
        reason += f"misses the {word} {parameters.limit:g}"
    else:
        reason += f"contains the {word} {parameters.limit:g}"
        reason += f"; about {needed:,} rows would decide" if needed else ""
    return Finding(
        outcome,
        reason,
        {
            "metric": parameters.metric,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            word: parameters.limit,
            "alpha": parameters.alpha,
            "rows": estimate.n,
            "rows_to_decide": needed if outcome == "not_enough_data" else None,
        },
    )


def shortage(evidence: Evidence, min_rows: int, min_positives: int) -> str | None:
    """Say why the hold-out is too small to judge by; None when it is not."""
    rows = len(evidence.holdout)
    if rows < min_rows:
        return f"the hold-out has {rows:,} rows, wanted at least {min_rows:,}"
    if evidence.task == "regression":
        return None
    label = evidence.holdout.label
    strange = label[(label != 0) & (label != 1)]
    if len(strange):
        raise Invalid(f"a binary label is 0 or 1, found {strange[0]!r}", field="label")
    positives = int(np.count_nonzero(label))
    for name, count in (("positive", positives), ("negative", rows - positives)):
        if count < min_positives:
            return f"the hold-out has {count:,} {name} rows, wanted at least {min_positives:,}"
    return None


def refuse_no_probability(score: np.ndarray, name: str) -> None:
    outside = score[(score < 0) | (score > 1)]
    if len(outside):
        raise Invalid(
            f"the output {name!r} of a binary model is a probability, found {outside[0]:g}",
            field=name,
        )
