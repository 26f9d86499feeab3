"""What tests of collecting make and delete, and how they collect it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from sqlalchemy import func, select

from mainspring.app import App
from mainspring.core.blobs import digest_of
from mainspring.core.errors import NotFound
from mainspring.core.operation import Client, FileClient
from mainspring.interfaces.cli.gc import collected
from mainspring.registry import catalog_contract
from mainspring.registry import contract as registry
from mainspring.tracking import artifact_contract, dataset_contract, model_contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import PutArtifact, RemoveArtifacts
from mainspring.tracking.contract import FileEntry, LogRun, NameRun, Series
from mainspring.tracking.dataset_contract import LogDataset
from mainspring.tracking.model_contract import NameTrainedModel
from mainspring.tracking.tables import (
    bucket_table,
    metric_table,
    param_table,
    point_table,
    run_dataset_table,
    run_model_table,
    run_table,
    tag_table,
    trained_model_metric_table,
)
from tests import story
from tests.story import MODEL

DAY = 24 * 60 * 60
MONTH = 30 * DAY
NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
OF_RUNS = (
    bucket_table, metric_table, param_table, point_table, run_dataset_table, run_model_table,
    tag_table, trained_model_metric_table,
)  # fmt: skip


def freed(client: Client, older_than_s: int = MONTH, *, dry_run: bool = False) -> dict[str, int]:
    """Collect until there is no more; answers what went, without what did not."""
    sums = collected(client, older_than_s, dry_run=dry_run)
    return {name: count for name, count in sums.items() if count}


def log_points(client: Client, run: str, key: str, count: int) -> None:
    """Log a series."""
    steps = list(range(count))
    series = Series(key=key, steps=steps, at=steps, values=[0.37 * step for step in steps])
    client.call(tracking.log_run, LogRun(run=run, series=[series]))


def log_file(client: FileClient, run: str, content: bytes, path: str = "plot") -> str:
    """Put a file into a run; answers its digest."""
    return put_file(client, f"runs/{run}", content, path)


def put_file(client: FileClient, place: str, content: bytes, path: str = "plot") -> str:
    """Put a file under a path; answers its digest."""
    digest = story.put(client, content)
    file = FileEntry(path=path, digest=digest, size=len(content))
    client.call(artifact_contract.put_artifact, PutArtifact(place=place, file=file))
    return digest


def remove_files(client: FileClient, place: str) -> None:
    """Take all files of a place from their paths."""
    client.call(artifact_contract.remove_artifacts, RemoveArtifacts(place=place, path=""))


def log_data(client: FileClient, run: str, content: bytes) -> str:
    """Let a run use a dataset that is a stored file; answers the file's digest."""
    file = story.put(client, content)
    request = LogDataset(
        run=run, name="data", digest=digest_of(b"rows" + content), role="training", rows=3,
        columns=[{"name": "distance"}], file=file,
    )  # fmt: skip
    client.call(dataset_contract.log_dataset, request)
    return file


def full_run(client: FileClient, content: bytes = b"plot", points: int = 1000) -> str:
    """A run that has one of everything; answers its id."""
    run = story.open_run(client, tags={"kind": "full"})
    client.call(tracking.log_run, LogRun(run=run, params={"depth": "3"}))
    log_points(client, run, "auc", points)
    log_file(client, run, content)
    log_data(client, run, b"data of " + content)
    return run


def delete_run(client: Client, run: str) -> None:
    """Delete a run."""
    client.call(tracking.delete_run, NameRun(run=run))


def delete_model(client: Client, trained: str) -> None:
    """Delete a trained model."""
    client.call(model_contract.delete_trained, NameTrainedModel(id=trained))


def delete_version(client: Client, number: int) -> None:
    """Delete a version."""
    request = registry.NameVersion(model=MODEL, version=number)
    client.call(catalog_contract.delete_version, request)


def is_there(client: Client, run: str) -> bool:
    """Whether a run is there, deleted or not."""
    try:
        client.call(tracking.show_run, NameRun(run=run))
    except NotFound:
        return False
    return True


def model_is_there(client: Client, trained: str) -> bool:
    """Whether a trained model is there, deleted or not."""
    request = NameTrainedModel(id=trained, deleted=True)
    try:
        client.call(model_contract.show_trained, request)
    except NotFound:
        return False
    return True


def rows_of_runs(app: App) -> dict[str, int]:
    """How many rows each table that belongs to runs has, where there are any; runs too."""
    with app.database.read() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (run_table, *OF_RUNS)
        }
    return {name: count for name, count in counts.items() if count}


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
