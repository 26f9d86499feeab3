"""What surrounds a run is written down once; who tries the same again is told."""

from __future__ import annotations

from typing import Any

from mainspring.core.operation import Done
from mainspring.core.work import Work, performs
from mainspring.tracking import surroundings_contract as contract
from mainspring.tracking.run_access import still_open, writable
from mainspring.tracking.store import TrackingStore
from mainspring.tracking.surroundings_contract import Tried
from mainspring.tracking.surroundings_store import SurroundingsStore


@performs(contract.describe_run)
def describe_run(work: Work, request: contract.DescribeRun) -> Done:
    """Fill in what is empty; the configuration of an open run also changes."""
    store = TrackingStore(work.connection, work.workspace_id)
    run = writable(work, store, request.run)
    found: dict[str, Any] = {
        name: said
        for name in ("code", "environment", "setup")
        if (said := getattr(request, name)) and not getattr(run, name)
    }
    config = {**run.config, **request.config}
    if config != run.config:
        still_open(work, store, request.run)
        found["config"] = config
    if found:
        store.update_run(run.id, **found)
        work.announce("run.described", ("run", request.run), told=sorted(found))
    return Done(count=len(found))


@performs(contract.find_tried)
def find_tried(work: Work, request: contract.FindTried) -> list[Tried]:
    """Earlier runs that answer the question already."""
    return SurroundingsStore(work.connection, work.workspace_id).tried(request)
