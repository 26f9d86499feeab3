"""The statistics extension of the protocol, as Triton describes it: what each version has done."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import Conflict
from mainspring.serving.fleet import Fleet, ServedModel
from mainspring.serving.metrics import Counts, ModelCounts


def statistics(
    fleet: Fleet, counts: Counts, name: str | None = None, version: str | None = None
) -> dict[str, object]:
    """The counts of one version, of all versions of a model, or of all that are served.

    Errors: `Conflict` where nothing is counted.
    """
    chosen = [
        served
        for served in fleet.every()
        if name in (None, served.source.name) and version in (None, served.source.version)
    ]
    nothing = _duration(0, 0.0)
    found = counted(fleet, counts, chosen)
    for one in found:
        one["inference_stats"] |= {"cache_hit": nothing, "cache_miss": nothing}
        one["batch_stats"] = []
    return {"model_stats": found}


def counted(fleet: Fleet, counts: Counts, chosen: list[ServedModel]) -> list[dict[str, Any]]:
    """What each of the versions has done, as far as both protocols can say it."""
    if not fleet.snapshot.metrics:
        raise Conflict("this data plane keeps no metrics", fix="serve it with metrics")
    found = {(model, version): one for model, version, one in counts.models}
    keys = [(served.source.name, served.source.version) for served in chosen]
    return [_of(*key, found.get(key, ModelCounts())) for key in keys]


def _of(name: str, version: str, counts: ModelCounts) -> dict[str, Any]:
    """Durations are summed over requests, in nanoseconds; reading and writing are not timed apart."""
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
        },
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": int(seconds * 1e9)}
