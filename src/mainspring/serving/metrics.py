"""The counters of a data plane: counted in each process, added up for its group."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

import msgspec

from mainspring.serving.batching import Batch

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
Key = tuple[str, str]
"""Two labels of a counter."""


ADDED = (
    *("rows", "calls", "call_seconds", "batched", "wait_seconds", "latency_seconds"),
    *("failed", "failed_seconds", "computed_seconds"),
)


class ModelCounts(msgspec.Struct):
    """What one version has done; seconds are summed."""

    rows: int = 0
    calls: int = 0
    call_seconds: float = 0.0
    batched: int = 0
    wait_seconds: float = 0.0
    sizes: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SIZES) + 1))
    """Calls by how many requests they had, up to each of `SIZES`."""
    latencies: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    """Answered requests by how long they took, up to each of `SECONDS`."""
    latency_seconds: float = 0.0
    failed: int = 0
    failed_seconds: float = 0.0
    """From the coming of requests that were refused or failed to their answers."""
    computed_seconds: float = 0.0
    """Time in the engine as its callers saw it: a call counts once for each of its requests."""
    last_at: int = 0
    """When the engine was last called, in milliseconds UTC."""
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls by why they were made when they were."""

    def add(self, other: ModelCounts) -> None:
        """Add what another process has counted."""
        for name in ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_at = max(self.last_at, other.last_at)
        self.sizes = [a + b for a, b in zip(self.sizes, other.sizes, strict=True)]
        self.latencies = [a + b for a, b in zip(self.latencies, other.latencies, strict=True)]
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count


class Counts(msgspec.Struct):
    """What one process has counted, as it is handed to another."""

    models: list[tuple[str, str, ModelCounts]] = []
    requests: list[tuple[str, str, int]] = []
    """By model and HTTP status; gRPC's by the status that it means."""
    errors: list[tuple[str, str, int]] = []
    """By model and kind of error."""
    in_flight: int = 0
    log_rows: int = 0
    log_failures: int = 0


class ModelMetrics:
    """Counts of one version; called on the event loop only, so no lock is needed."""

    def __init__(self) -> None:
        self.counts = ModelCounts()

    def batched(self, batch: Batch, seconds: float, reason: str) -> None:
        """Count one call: how long the engine took, and why it was called when it was."""
        counts, began = self.counts, batch.began
        counts.rows += batch.rows
        counts.calls += 1
        counts.call_seconds += seconds
        counts.batched += len(batch.members)
        counts.computed_seconds += seconds * len(batch.members)
        counts.last_at = int(time.time() * 1000)
        counts.reasons[reason] = counts.reasons.get(reason, 0) + 1
        counts.sizes[bisect_left(SIZES, len(batch.members))] += 1
        for member in batch.members:
            counts.wait_seconds += began - member.joined

    def answered(self, seconds: float) -> None:
        """Count one answer, by how long it took from the request's coming."""
        self.counts.latencies[bisect_left(SECONDS, seconds)] += 1
        self.counts.latency_seconds += seconds

    def failed(self, seconds: float) -> None:
        """Count one request that was not answered with a prediction."""
        self.counts.failed += 1
        self.counts.failed_seconds += seconds


class NoMetrics(ModelMetrics):
    """Where nothing is to be counted."""

    def batched(self, batch: Batch, seconds: float, reason: str) -> None:
        """Count nothing."""

    def answered(self, seconds: float) -> None:
        """Count nothing."""

    def failed(self, seconds: float) -> None:
        """Count nothing."""


class Metrics:
    """All counters of one process."""

    def __init__(self, *, is_on: bool = True) -> None:
        self.is_on = is_on
        self.models: dict[Key, ModelMetrics] = {}
        self.requests: Counter[Key] = Counter()
        self.errors: Counter[Key] = Counter()

    def of(self, model: str, version: str) -> ModelMetrics:
        """The counts of a version, which go on when it is loaded again."""
        if not self.is_on:
            return NoMetrics()
        return self.models.setdefault((model, version), ModelMetrics())

    def replied(self, model: str, status: int, kind: str) -> None:
        """Count a reply by its HTTP status, or what that would be; `kind` is its error's, if it is one."""
        if not self.is_on:
            return
        self.requests[model, str(status)] += 1
        if kind:
            self.errors[model, kind] += 1

    def go_on_from(self, counts: Counts) -> None:
        """Begin with what the process before this one had counted."""
        for model, version, found in counts.models:
            self.of(model, version).counts.add(found)
        self.requests.update({(model, code): count for model, code, count in counts.requests})
        self.errors.update({(model, kind): count for model, kind, count in counts.errors})

    def counts(self) -> Counts:
        """What was counted here."""
        return Counts(
            models=[(*key, found.counts) for key, found in self.models.items()],
            requests=[(*key, count) for key, count in self.requests.items()],
            errors=[(*key, count) for key, count in self.errors.items()],
        )


def added_up(several: Iterable[Counts]) -> Counts:
    """The counts of a group of processes as if one had counted."""
    models: dict[Key, ModelCounts] = {}
    requests: Counter[Key] = Counter()
    errors: Counter[Key] = Counter()
    total = Counts()
    for counts in several:
        for model, version, found in counts.models:
            models.setdefault((model, version), ModelCounts()).add(found)
        for model, code, count in counts.requests:
            requests[model, code] += count
        for model, kind, count in counts.errors:
            errors[model, kind] += count
        total.in_flight += counts.in_flight
        total.log_rows += counts.log_rows
        total.log_failures += counts.log_failures
    total.models = [(*key, found) for key, found in sorted(models.items())]
    total.requests = [(*key, count) for key, count in sorted(requests.items())]
    total.errors = [(*key, count) for key, count in sorted(errors.items())]
    return total
