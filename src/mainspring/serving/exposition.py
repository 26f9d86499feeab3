"""The counters of a data plane in the Prometheus text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from mainspring.serving.metrics import SECONDS, SIZES, Counts, ModelCounts

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def render(counts: Counts) -> str:
    """The page that Prometheus reads."""
    lines = [
        *_head("mainspring_requests_total", "counter", "Inference requests by HTTP status."),
        *(
            f"mainspring_requests_total{_labels(model=model, code=code)} {count}"
            for model, code, count in counts.requests
        ),
        *_head("mainspring_errors_total", "counter", "Requests refused or failed, by kind."),
        *(
            f"mainspring_errors_total{_labels(model=model, kind=kind)} {count}"
            for model, kind, count in counts.errors
        ),
        *_head("mainspring_requests_in_flight", "gauge", "Requests under way."),
        f"mainspring_requests_in_flight {counts.in_flight}",
        *_head("mainspring_log_rows_total", "counter", "Rows written to the prediction log."),
        f"mainspring_log_rows_total {counts.log_rows}",
        *_head("mainspring_log_failures_total", "counter", "Calls the log had to refuse."),
        f"mainspring_log_failures_total {counts.log_failures}",
        *_models(counts),
    ]
    return "\n".join(lines) + "\n"


def _models(counts: Counts) -> Iterable[str]:
    yield from _head("mainspring_rows_total", "counter", "Rows predicted.")
    for labels, found in _labelled(counts):
        yield f"mainspring_rows_total{_labels(**labels)} {found.rows}"
    name = "mainspring_request_seconds"
    yield from _head(name, "histogram", "From a request's coming to its answer.")
    for labels, found in _labelled(counts):
        yield from _histogram(name, labels, SECONDS, found.latencies, found.latency_seconds)
    name = "mainspring_predict_seconds"
    yield from _head(name, "summary", "Time spent in the model.")
    for labels, found in _labelled(counts):
        yield f"{name}_sum{_labels(**labels)} {found.call_seconds:.9f}"
        yield f"{name}_count{_labels(**labels)} {found.calls}"
    name = "mainspring_batch_requests"
    yield from _head(name, "histogram", "Requests in one call of the engine.")
    for labels, found in _labelled(counts):
        yield from _histogram(name, labels, SIZES, found.sizes, found.batched)
    name = "mainspring_queue_wait_seconds"
    yield from _head(name, "summary", "From a checked request to its call.")
    for labels, found in _labelled(counts):
        yield f"{name}_sum{_labels(**labels)} {found.wait_seconds:.9f}"
        yield f"{name}_count{_labels(**labels)} {found.batched}"
    name = "mainspring_batches_total"
    yield from _head(name, "counter", "Calls of the engine by why they were made.")
    for labels, found in _labelled(counts):
        for reason, count in sorted(found.reasons.items()):
            yield f"{name}{_labels(**labels, reason=reason)} {count}"


def _labelled(counts: Counts) -> Iterable[tuple[dict[str, str], ModelCounts]]:
    for model, version, found in counts.models:
        yield {"model": model, "version": version}, found


def _histogram(
    name: str,
    labels: dict[str, str],
    bounds: tuple[float, ...],
    counts: list[int],
    total: float,
) -> Iterable[str]:
    sums = list(accumulate(counts))
    for bound, count in zip([*map(str, bounds), "+Inf"], sums, strict=True):
        yield f"{name}_bucket{_labels(**labels, le=bound)} {count}"
    yield f"{name}_sum{_labels(**labels)} {total:.9f}"
    yield f"{name}_count{_labels(**labels)} {sums[-1]}"


def _labels(**labels: str) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
