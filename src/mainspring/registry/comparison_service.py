"""Two versions side by side, with the runs behind them."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.work import Work, performs
from mainspring.registry import comparison_contract as contract
from mainspring.registry.comparison import differences, equal_entries, flat
from mainspring.registry.comparison_contract import VersionComparison
from mainspring.registry.store import RegistryStore
from mainspring.tracking.contract import to_wire
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.metric_store import MetricStore
from mainspring.tracking.store import TrackingStore


@performs(contract.compare_versions)
def compare_versions(work: Work, request: contract.CompareVersions) -> VersionComparison:
    """Hold one against the other."""
    store = RegistryStore(work.connection, work.workspace_id)
    left = store.version_row(request.model, request.version)
    right = store.version_row(request.other_model or request.model, request.other)
    ours, theirs = _known(work, left), _known(work, right)
    return VersionComparison(
        left=f"{left.model}@{left.number}",
        right=f"{right.model}@{right.number}",
        same_files=left.digest is not None and left.digest == right.digest,
        differences=differences(ours, theirs),
        equal=equal_entries(ours, theirs),
    )


def _known(work: Work, row: Any) -> dict[str, dict[str, Any]]:
    facts = ("stage", "state", "engine", "task", "registered_by", "run", "source", "description")
    found: dict[str, dict[str, Any]] = {
        "version": {name: value for name in facts if (value := getattr(row, name))},
        "signature": flat(msgspec.to_builtins(row.signature)),
        "files": {file["path"]: file["digest"] for file in row.files},
        **{part: {} for part in ("metrics", "params", "data", "code", "environment")},
    }
    tracking = TrackingStore(work.connection, work.workspace_id)
    run = tracking.find_run(row.run) if row.run else None
    if run is not None:
        metrics = MetricStore(work.connection).metrics(run.id)
        found["metrics"] = {one.key: to_wire(one.fold.last) for one in metrics}
        found["params"] = tracking.texts(run.id)[0]
        datasets = DatasetStore(work.connection, work.workspace_id).datasets(run.id)
        found["data"] = {f"{one.role}/{one.name}": one.digest for one in datasets}
        found["code"] = flat(run.code)
        found["environment"] = flat(run.environment)
    return found
