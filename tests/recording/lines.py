"""Lines to a server that break, and what a server knows of a run in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from mainspring.core.errors import Unreachable
from mainspring.core.operation import FileClient, Operation
from mainspring.recording.opening import Opening, Surface, open_run
from mainspring.recording.run import Run
from mainspring.recording.watching import NOTHING
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun, ReadMetric

Q = TypeVar("Q")
R = TypeVar("R")
Break = Literal["before", "after"]


class Line:
    """A client whose line breaks at one call: before it arrives, or before its answer does."""

    def __init__(self, client: FileClient, at: int = -1, breaks: Break = "before") -> None:
        self.calls = 0
        self.cut = False
        """Whether nothing comes through."""
        self._client = client
        self._at = at
        self._breaks = breaks

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation."""
        self._break("before")
        found = self._client.call(operation, request)
        self._break("after")
        return found

    def upload(self, digest: str, path: Path) -> None:
        """Store a file."""
        self._break("before")
        self._client.upload(digest, path)
        self._break("after")

    def download(self, digest: str) -> Iterator[bytes]:
        """Read a file."""
        return self._client.download(digest)

    def _break(self, moment: Break) -> None:
        broken = self.cut or (self.calls == self._at and moment == self._breaks)
        self.calls += moment == "after" or broken
        if broken:
            raise Unreachable("the line broke")


def surface(client: FileClient, spool: Path) -> Surface:
    """Where runs of a test are written down, and where they go."""
    return Surface(client=client, spool=spool)


def begun(client: FileClient, spool: Path, **words: Any) -> Run:
    """A run without what surrounds it, so that tests say all that is told of it."""
    return open_run(surface(client, spool), Opening(watching=NOTHING, **words))


def told(client: FileClient, run: str) -> dict[str, Any]:
    """Everything that a server knows of a run, but for when it heard of it."""
    shown = client.call(contract.show_run, NameRun(run=run))
    keys = [one.key for one in shown.metrics if not one.key.startswith("system/")]
    points = {
        key: [
            (point.step, point.value)
            for point in client.call(
                contract.read_metric, ReadMetric(run=run, key=key, limit=25_000)
            ).items
        ]
        for key in keys
    }
    return {
        "name": shown.name,
        "status": shown.status,
        "config": shown.config,
        "params": shown.params,
        "tags": shown.tags,
        "points": points,
        "datasets": [(one.name, one.digest, one.role, one.rows) for one in shown.datasets],
        "artifacts": {
            one.path: one.digest for one in shown.artifacts if not one.path.startswith("code/")
        },
        "models": [(one.id, one.digest, len(one.files)) for one in shown.models],
        "parent": shown.parent,
    }
