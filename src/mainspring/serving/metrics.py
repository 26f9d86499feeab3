"""The counters of one data plane, and their Prometheus text."""

from __future__ import annotations

from collections import Counter

from mainspring.serving.recorder import Recorder

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counted on the event loop only, so no lock is needed."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.rows = 0
        self.predictions = 0
        self.predict_seconds = 0.0

    def predicted(self, rows: int, seconds: float) -> None:
        """Count one answered request."""
        self.rows += rows
        self.predictions += 1
        self.predict_seconds += seconds

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
            *_head("mainspring_log_rows_total", "counter", "Rows written to the prediction log."),
            f"mainspring_log_rows_total {recorder.rows}",
            *_head("mainspring_log_failures_total", "counter", "Requests the log had to refuse."),
            f"mainspring_log_failures_total {recorder.failures}",
        ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
