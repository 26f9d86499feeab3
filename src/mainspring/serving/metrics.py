"""The counters of one data plane, and their Prometheus text."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate

from mainspring.serving.batching import Batch
from mainspring.serving.recorder import Recorder

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counted on the event loop only, so no lock is needed."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.rows = 0
        self.predictions = 0
        self.predict_seconds = 0.0
        self.requests_batched = 0
        self.wait_seconds = 0.0
        self.reasons: Counter[str] = Counter()
        self.sizes = [0] * (len(SIZES) + 1)

    def batched(self, batch: Batch, seconds: float, reason: str) -> None:
        """Count one batch: how long the engine took, and why it was run when it was."""
        self.rows += batch.rows
        self.predictions += 1
        self.predict_seconds += seconds
        self.requests_batched += len(batch.members)
        self.reasons[reason] += 1
        self.sizes[bisect_left(SIZES, len(batch.members))] += 1
        for member in batch.members:
            self.wait_seconds += batch.began - member.joined

    def render(self, recorder: Recorder) -> str:
        """The page that Prometheus reads."""
        codes = [
            f'mainspring_requests_total{{code="{code}"}} {count}'
            for code, count in sorted(self.requests.items())
        ]
        lines = [
            *_head("mainspring_requests_total", "counter", "Inference requests by HTTP status."),
            *codes,
            *_head("mainspring_rows_total", "counter", "Rows predicted and recorded."),
            f"mainspring_rows_total {self.rows}",
            *_head("mainspring_predict_seconds", "summary", "Time spent in the model."),
            f"mainspring_predict_seconds_sum {self.predict_seconds:.9f}",
            f"mainspring_predict_seconds_count {self.predictions}",
            *self._batches(),
            *_head("mainspring_log_rows_total", "counter", "Rows written to the prediction log."),
            f"mainspring_log_rows_total {recorder.rows}",
            *_head("mainspring_log_failures_total", "counter", "Requests the log had to refuse."),
            f"mainspring_log_failures_total {recorder.failures}",
        ]
        return "\n".join(lines) + "\n"

    def _batches(self) -> list[str]:
        name = "mainspring_batch_requests"
        counts = list(accumulate(self.sizes))
        bounds = [*map(str, SIZES), "+Inf"]
        return [
            *_head(name, "histogram", "Requests in one call of the engine."),
            *(
                f'{name}_bucket{{le="{bound}"}} {count}'
                for bound, count in zip(bounds, counts, strict=True)
            ),
            f"{name}_sum {self.requests_batched}",
            f"{name}_count {counts[-1]}",
            *_head("mainspring_batches_total", "counter", "Batches by why they were run."),
            *(
                f'mainspring_batches_total{{reason="{reason}"}} {count}'
                for reason, count in sorted(self.reasons.items())
            ),
            *_head(
                "mainspring_queue_wait_seconds", "summary", "From a checked request to its call."
            ),
            f"mainspring_queue_wait_seconds_sum {self.wait_seconds:.9f}",
            f"mainspring_queue_wait_seconds_count {self.requests_batched}",
        ]


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
