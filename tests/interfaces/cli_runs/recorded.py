"""Runs as commands find them: with values, parameters and files."""

from __future__ import annotations

from typing import Any

from mainspring.core.clock import to_micros, utc_now
from mainspring.core.operation import FileClient
from mainspring.tracking import artifact_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import FileEntry, FinishRun, LogRun, Series
from tests import story


def logged(
    client: FileClient,
    name: str,
    metrics: dict[str, list[Any]] | None = None,
    params: dict[str, str] | None = None,
    **more: Any,
) -> str:
    """A finished run with series of values; answers its id."""
    status = more.pop("status", "finished")
    run = story.open_run(client, name=name, **more)
    at = to_micros(utc_now())
    series = [
        Series(key=key, steps=list(range(len(values))), at=[at] * len(values), values=values)
        for key, values in (metrics or {}).items()
    ]
    client.call(tracking.log_run, LogRun(run=run, series=series, params=params or {}))
    client.call(tracking.finish_run, FinishRun(run=run, status=status))
    return run


def keep(client: FileClient, run: str, path: str, content: bytes) -> None:
    """Keep a file with a run."""
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    client.call(artifact_contract.log_artifact, LogArtifact(run=run, file=file))
