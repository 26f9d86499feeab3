"""Is the candidate quick enough? Timed on real calls, on the machine that runs the check."""

from __future__ import annotations

import time

import numpy as np

from mainspring.validation.check import Evidence, Finding, Model, takes
from mainspring.validation.parameters import Latency as Parameters


@takes(Parameters)
def check(evidence: Evidence, parameters: Parameters) -> Finding:
    """Time calls with inputs drawn from the hold-out."""
    if len(evidence.holdout) == 0:
        return Finding("not_enough_data", "the hold-out has no rows to call the model with")
    took = _times_ms(evidence.candidate, _batches(evidence, parameters))[parameters.warm_up :]
    p50, p95, p99 = (float(value) for value in np.quantile(took, [0.5, 0.95, 0.99]))
    passed = p99 <= parameters.p99_ms
    return Finding(
        "passed" if passed else "failed",
        f"p99 {p99:.2f} ms over {parameters.calls:,} calls of {parameters.rows:,} rows "
        f"{'meets' if passed else 'misses'} the limit of {parameters.p99_ms:g} ms",
        {
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
            "limit_ms": parameters.p99_ms,
            "calls": parameters.calls,
            "rows": parameters.rows,
        },
    )


def _batches(evidence: Evidence, parameters: Parameters) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(0)
    inputs = evidence.holdout.inputs
    draws = random.integers(
        0, len(evidence.holdout), (parameters.warm_up + parameters.calls, parameters.rows)
    )
    return [{name: values[draw] for name, values in inputs.items()} for draw in draws]


def _times_ms(model: Model, batches: list[dict[str, np.ndarray]]) -> np.ndarray:
    took = np.empty(len(batches))
    for at, batch in enumerate(batches):
        began = time.perf_counter_ns()
        model.predict(batch)
        took[at] = (time.perf_counter_ns() - began) / 1e6
    return took
