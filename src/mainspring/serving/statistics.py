"""The statistics extension of the protocol, as Triton describes it: what each version has done."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import NotFound
from mainspring.serving.fleet import Fleet
from mainspring.serving.metrics import Counts, ModelCounts


def statistics(
    fleet: Fleet, counts: Counts, name: str | None = None, version: str | None = None
) -> dict[str, object]:
    """The counts of one version, of all versions of a model, or of all that are served.

    Errors: `NotFound` where nothing is counted.
    """
    if not fleet.snapshot.metrics:
        raise NotFound("nothing is counted here", fix="serve without --no-metrics")
    found = {(model, number): one for model, number, one in counts.models}
    return {
        "model_stats": [
            _of(served.source.name, served.source.version, found)
            for served in fleet.every()
            if name in (None, served.source.name) and version in (None, served.source.version)
        ]
    }


def _of(name: str, version: str, found: dict[tuple[str, str], ModelCounts]) -> dict[str, Any]:
    """Durations are summed over requests, in nanoseconds; reading and writing are not timed apart."""
    counts = found.get((name, version), ModelCounts())
    nothing = _duration(0, 0.0)
    return {
        "name": name,
        "version": version,
        "last_inference": counts.last_at,
        "inference_count": counts.rows,
        "execution_count": counts.calls,
        "inference_stats": {
            "success": _duration(sum(counts.latencies), counts.latency_seconds),
            "fail": _duration(counts.failed, counts.failed_seconds),
            "queue": _duration(counts.batched, counts.wait_seconds),
            "compute_input": nothing,
            "compute_infer": _duration(counts.batched, counts.computed_seconds),
            "compute_output": nothing,
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": [],
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}
