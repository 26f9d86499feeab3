"""A run as the training process sees it: it logs, and somebody far away remembers."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import math
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from mainspring.core.blobs import CHUNK
from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.extras import require
from mainspring.core.ids import Key, new_id
from mainspring.core.operation import FileClient
from mainspring.core.signature import Signature
from mainspring.tracking import (
    artifact_contract,
    capture,
    contract,
    dataset_contract,
    model_contract,
)
from mainspring.tracking.artifact_contract import LogArtifact
from mainspring.tracking.contract import (
    FileEntry,
    FinishRun,
    LogRun,
    NameRun,
    OpenRun,
    Point,
    RunDataset,
    TrainedModel,
    Value,
)
from mainspring.tracking.dataset_contract import DatasetRole, LogDataset
from mainspring.tracking.model_contract import LogModel

FLUSH_S = 1.0
BEAT_S = 15.0
BATCH = 5_000

log = logging.getLogger("mainspring.run")


class Run:
    """One training run; use it as a context manager, or call `finish` at the end."""

    def __init__(self, client: FileClient, request: OpenRun) -> None:
        self.id = request.id
        self.name = request.name
        self.config = dict(request.config)
        self.models: list[TrainedModel] = []
        self._client = client
        self._points: list[Point] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        client.call(contract.open_run, request)
        self._shipper = threading.Thread(target=self._ship, name="mainspring-run", daemon=True)
        self._shipper.start()

    def log(self, metrics: Mapping[str, float], /, *, step: int | None = None) -> None:
        """Log values of metrics; they are shipped in the background."""
        at = utc_now()
        points = [
            Point(key=_checked(key), value=_wire(float(value)), step=step or 0, at=at)
            for key, value in metrics.items()
        ]
        with self._lock:
            self._points += points

    def log_params(self, params: Mapping[str, Any], /) -> None:
        """Log parameters; one that is logged again must not differ."""
        texts = {key: str(value) for key, value in params.items()}
        self._client.call(contract.log_run, LogRun(run=self.id, params=texts))

    def set_tags(self, tags: Mapping[str, str], /) -> None:
        """Set tags; they may change."""
        self._client.call(contract.log_run, LogRun(run=self.id, tags=dict(tags)))

    def log_dataset(
        self,
        rows: Any,
        /,
        *,
        name: str,
        role: DatasetRole = "training",
        source: str = "",
    ) -> RunDataset:
        """Link a table to the run by its digest, and keep its rows once."""
        data = require("mainspring.tracking.dataset", "loop")
        table = data.as_table(rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            data.write_rows(table, path)
            file = self._stored(path, path.name)
        request = LogDataset(
            run=self.id,
            name=name,
            digest=data.digest_of_table(table),
            role=role,
            rows=table.num_rows,
            columns=data.describe_columns(table),
            source=source,
            file=file.digest,
        )
        return self._client.call(dataset_contract.log_dataset, request)

    def log_artifact(self, path: str | Path, /, *, name: str | None = None) -> FileEntry:
        """Keep a file with the run."""
        place = Path(path)
        file = self._stored(place, name or place.name)
        return self._client.call(
            artifact_contract.log_artifact, LogArtifact(run=self.id, file=file)
        )

    def log_model(
        self,
        model: Any,
        /,
        *,
        engine: str | None = None,
        signature: Signature | None = None,
        sample: Any = None,
        task: Literal["binary", "regression"] = "binary",
    ) -> TrainedModel:
        """Record a trained model; it has an id and a digest from now on."""
        packing = require("mainspring.tracking.packing", "loop")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            described = packing.pack(model, folder, engine, signature, sample)
            files = [self._stored(path, path.name) for path in sorted(folder.iterdir())]
        request = LogModel(
            run=self.id,
            id=new_id(),
            name=self.name or "model",
            engine=described.engine,
            task=task,
            signature=described.signature,
            files=files,
        )
        trained = self._client.call(model_contract.log_model, request)
        self.models.append(trained)
        return trained

    def finish(self, status: Literal["finished", "failed", "killed"] = "finished") -> None:
        """Ship what is left and end the run."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._shipper.join()
        try:
            self._flush()
        finally:  # A run whose last points are refused is over all the same.
            self._client.call(contract.finish_run, FinishRun(run=self.id, status=status))

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.finish("killed" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _stored(self, path: Path, name: str) -> FileEntry:
        digest = _digest(path)
        self._client.upload(digest, path)
        return FileEntry(path=name, digest=digest, size=path.stat().st_size)

    def _ship(self) -> None:
        beat = utc_now()
        while not self._ended.wait(FLUSH_S):
            try:
                self._flush()
                if utc_now() - beat > dt.timedelta(seconds=BEAT_S):
                    beat = utc_now()
                    self._client.call(contract.beat, NameRun(run=self.id))
            except MainspringError as error:
                # Kept and tried again: training goes on whatever the server does.
                log.warning("run %s: %s", self.id, error.message)

    def _flush(self) -> None:
        while True:
            with self._lock:
                points = self._points[:BATCH]
            if not points:
                return
            self._client.call(contract.log_run, LogRun(run=self.id, points=points))
            with self._lock:
                del self._points[: len(points)]


def open_run(  # noqa: PLR0913  each is a word of the SDK that users leave out
    client: FileClient,
    *,
    name: str = "",
    experiment: str = "Default",
    config: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    entry: tuple[Path | None, Sequence[str]] | None = None,
) -> Run:
    """Open a run with what surrounds it: code, packages, machine."""
    script, arguments = entry or capture.entry_point()
    request = OpenRun(
        id=run_id or new_id(),
        experiment=experiment,
        name=name,
        config=dict(config or {}),
        code=capture.code(script, arguments),
        environment=capture.environment(),
        started_at=utc_now(),
    )
    return Run(client, request)


def _checked(key: str) -> str:
    """Refuse a name here, where it is used: later it would hold up every point behind it."""
    try:
        return msgspec.convert(key, Key)
    except msgspec.ValidationError as error:
        raise Invalid(f"{key!r} is no name for a metric: {error}", field="metrics") from error


def _wire(value: float) -> Value:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"
