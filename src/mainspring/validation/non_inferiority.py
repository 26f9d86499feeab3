"""Is the candidate at least nearly as good as the champion, on the same rows?

Controls: a candidate truly worse by the margin or more passes with probability `alpha` at most.
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
from mainspring.validation.parameters import NonInferiority as Parameters
from mainspring.validation.performance import refuse_no_probability, shortage
from mainspring.validation.statistics import (
    Estimate,
    auc_difference,
    relative_improvement,
)


@takes(Parameters)
def check(evidence: Evidence, parameters: Parameters) -> Finding:
    """Compare the paired difference's lower bound with minus the margin."""
    if evidence.champion is None:
        return Finding("passed", "there is no champion")
    lack = shortage(evidence, parameters.min_rows, parameters.min_positives)
    if lack:
        return Finding("not_enough_data", lack, {"rows": len(evidence.holdout)})
    difference = _difference(evidence, 2 * parameters.alpha)
    limit = -parameters.margin
    outcome = judge(difference, limit, higher_is_better=True)
    what = "AUC" if evidence.task == "binary" else "squared error saved, as a share,"
    reason = (
        f"{what} {difference.value:+.4f} against the champion, {1 - 2 * parameters.alpha:.0%} "
        f"interval {difference.low:+.4f} to {difference.high:+.4f} on {difference.n:,} rows, "
    )
    needed = rows_to_decide(difference, limit)
    if outcome == "passed":
        reason += f"above the margin {limit:g}"
    elif outcome == "failed":
        reason += f"below the margin {limit:g}"
    else:
        reason += f"contains the margin {limit:g}"
        reason += f"; about {needed:,} rows would decide" if needed else ""
    return Finding(
        outcome,
        reason,
        {
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
            "margin": parameters.margin,
            "alpha": parameters.alpha,
            "rows": difference.n,
            "rows_to_decide": needed if outcome == "not_enough_data" else None,
        },
    )


def _difference(evidence: Evidence, alpha: float) -> Estimate:
    assert evidence.champion is not None
    holdout = evidence.holdout
    ours, theirs = (scores(model, holdout) for model in (evidence.candidate, evidence.champion))
    if evidence.task == "binary":
        refuse_no_probability(ours, evidence.candidate.signature.outputs[0].name)
        return auc_difference(holdout.label, ours, theirs, alpha)
    label = holdout.label.astype(np.float64)
    if not np.isfinite(label).all():
        raise Invalid("the label of a regression is a finite number, found NaN", field="label")
    return relative_improvement((ours - label) ** 2, (theirs - label) ** 2, alpha)
