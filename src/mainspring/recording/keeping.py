"""What a run keeps beside numbers: files, figures, tables, datasets, models."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.extras import require
from mainspring.core.ids import new_id
from mainspring.core.signature import Signature
from mainspring.recording import media
from mainspring.recording.duplicates import Duplicates
from mainspring.recording.forgiving import forgiving
from mainspring.recording.journal import Journal, Silent
from mainspring.recording.records import Data, Kept, Trained
from mainspring.recording.values import clean_key, plain, text
from mainspring.tracking.contract import FileEntry, RunDataset, TrainedModel
from mainspring.tracking.dataset_contract import DatasetRole, LogDataset
from mainspring.tracking.model_contract import LogModel, Task
from mainspring.tracking.run import files_digest


class Keeping:
    """The part of a run that keeps things."""

    duplicates: Duplicates

    def __init__(self, journal: Journal | Silent, run: str) -> None:
        self.models: list[TrainedModel] = []
        """The models that this process logged, the newest last."""
        self.datasets: list[RunDataset] = []
        self._journal = journal
        self._run = run

    def log_artifact(
        self,
        path: str | Path,
        /,
        artifact_path: str | None = None,
        *,
        name: str | None = None,
    ) -> list[FileEntry]:
        """Keep a file, or every file of a folder: in the folder `artifact_path`, or under a `name`.

        >>> run.log_artifact("report.txt", name="reports/first.txt")[0].path
        'reports/first.txt'
        >>> run.log_artifact("report.txt", "reports")[0].path
        'reports/report.txt'
        """
        place = Path(path)
        base = (name or f"{artifact_path or ''}/{place.name}").strip("/")
        if not place.exists():
            # A plot that was not drawn must not end a training.
            self._journal.warn(f"path {place}", "there is no file or folder %r to keep", str(place))
            return []
        if place.is_dir():
            files = sorted(one for one in place.rglob("*") if one.is_file())
            above = "" if base == "." else f"{base}/"
            pairs = [(one, f"{above}{one.relative_to(place).as_posix()}") for one in files]
        else:
            pairs = [(place, base)]
        kept = (self._kept(one, at) for one, at in pairs)
        return [entry for entry in kept if entry is not None]

    @forgiving
    def log_text(self, words: str, /, name: str) -> None:
        """Keep a text under a name.

        >>> run.log_text("all is well", "notes/today.txt")
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text"
            path.write_text(str(words), "utf-8", errors="replace")
            self._kept(path, name)

    @forgiving
    def log_dict(self, entries: Any, /, name: str) -> None:
        """Keep a dictionary or a list as JSON.

        >>> run.log_dict({"classes": ["early", "late"]}, "classes.json")
        """
        self.log_text(json.dumps(plain(entries), indent=1, ensure_ascii=False), name)

    def log_table(self, rows: Any, /, name: str, *, columns: Sequence[str] | None = None) -> None:
        """Keep rows as a table: a data frame, a dictionary of columns, a list of rows or of mappings.

        JSON, or CSV if the name ends so.

        >>> run.log_table({"carrier": ["UA", "AA"], "late": [0.2, 0.3]}, "late.csv")
        """
        self._drawn(lambda path: media.write_table(rows, path, columns), name)

    def log_figure(self, figure: Any, /, name: str, *, step: int | None = None) -> None:
        """Keep a figure of matplotlib, plotly, altair or bokeh.

        >>> run.log_figure(figure, "curves/roc.png")
        """
        self._drawn(lambda path: media.write_figure(figure, path), _stepped(name, step))

    def log_image(self, image: Any, /, name: str, *, step: int | None = None) -> None:
        """Keep a picture: PIL's, a file, a figure, or an array (rows, columns[, bands]).

        >>> run.log_image([[0, 128], [255, 0]], "pixels.png")
        """
        self._drawn(lambda path: media.write_image(image, path), _stepped(name, step))

    def log_dataset(  # noqa: PLR0913  each is a word that users leave out
        self,
        rows: Any,
        /,
        *,
        name: str,
        role: DatasetRole = "training",
        source: str = "",
        split: str = "",
        keep: bool = True,
        ordered: bool = True,
        query: str | None = None,
    ) -> RunDataset:
        """Link data to the run by its digest; its rows are kept once unless `keep` says no.

        `rows` is a table of any library, an array, a file or folder, or a database connection with
        its `query`. Needs the extra `loop`. Raises `Invalid` for what cannot be digested.

        >>> run.log_dataset({"x": [1, 2], "label": [0, 1]}, name="tiny").rows
        2
        """
        reading = require("mainspring.datasets.reading", "loop")
        addresses = require("mainspring.datasets.addresses", "loop")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            found = reading.describe(
                rows, ordered=ordered, query=query, keep=path if keep else None
            )
            file = self._journal.keep(path, path.name) if path.exists() else None
        request = LogDataset(
            run=self._run,
            name=_dataset_name(name),
            digest=found.digest,
            role=role,
            rows=found.rows,
            columns=found.columns,
            source_type=found.source_type,
            source=addresses.redacted_address(source) or found.source,
            split=split,
            file=file.digest if file is not None else None,
        )
        self._journal.write(Data(request))
        used = _as_used(request)
        self.datasets.append(used)
        if role == "training":
            self.duplicates.trains_on(found.digest)
        return used

    def log_model(  # noqa: PLR0913  each is a word that users leave out
        self,
        model: Any,
        /,
        *,
        name: str = "",
        engine: str | None = None,
        signature: Signature | None = None,
        sample: Any = None,
        task: Task = "binary",
        params: Mapping[str, Any] | None = None,
    ) -> TrainedModel:
        """Record a trained model; it has an id and a digest from now on, registered or not.

        LightGBM and ONNX models can be served; those of other known libraries are kept as their
        library saves them. The signature is taken from the sample of inputs if it is not given.

        >>> trained = run.log_model(booster, sample=table, task="binary")
        >>> trained.digest[:7]
        'sha256:'
        """
        packing = require("mainspring.recording.packing", "loop")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            packed = packing.pack(model, folder, engine, signature, sample)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            kept = [self._journal.keep(path, path.relative_to(folder).as_posix()) for path in paths]
        files = [entry for entry in kept if entry is not None]
        if len(files) < len(paths):
            raise Invalid("there is no room for the model's files", field="model")
        request = LogModel(
            run=self._run,
            id=new_id(),
            name=_dataset_name(name or "model"),
            engine=packed.engine,
            type=packed.type,
            task=task,
            params=_as_params({**packed.params, **(params or {})}),
            signature=packed.signature,
            files=files,
        )
        self._journal.write(Trained(request))
        trained = _as_trained(request)
        self.models.append(trained)
        return trained

    def say(self, about: str, message: str, *args: object) -> None:
        """Tell the user something, once."""
        self._journal.warn(about, message, *args)

    def _kept(self, path: Path, name: str) -> FileEntry | None:
        try:
            entry = self._journal.keep(path, checked_path(name))
        except (MainspringError, OSError, ValueError) as error:
            self._journal.warn(f"kept {name}", "%r cannot be kept: %s", name, error)
            return None
        if entry is not None:
            self._journal.write(Kept(entry))
        return entry

    def _drawn(self, draw: Callable[[Path], Path], name: str) -> None:
        try:
            checked_path(name)
            with tempfile.TemporaryDirectory() as folder:
                path = draw(Path(folder) / Path(name).name)
                self._kept(path, str(Path(name).with_name(path.name)))
        except (MainspringError, OSError, ValueError, TypeError) as error:
            self._journal.warn(f"drawn {name}", "%r cannot be kept: %s", name, error)

    def _keep_shown(self, key: str, value: Any, step: int | None) -> bool:
        """Keep a figure, image or table that was logged among metrics; answers whether it is one."""
        name = key.strip("/. ") or "_"
        if media.is_image(value):
            self.log_image(value, f"images/{name}", step=step)
        elif media.is_figure(value):
            self.log_figure(value, f"figures/{name}", step=step)
        elif media.is_table(value):
            self.log_table(value, _stepped(f"tables/{name}.json", step))
        else:
            return False
        return True


def checked_path(name: str) -> str:
    """Refuse a name that no file of a run can have."""
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or "\\" in name or "\x00" in name:
        raise Invalid(
            f"{name!r} is no path of an artifact; wanted names joined by /, without . and ..",
            field="name",
        )
    return name


def _stepped(name: str, step: int | None) -> str:
    if step is None:
        return name
    path = Path(name)
    return str(path.with_name(f"{path.stem}-{step:06}{path.suffix}"))


def _dataset_name(name: str) -> str:
    cleaned = clean_key(name).replace("/", "_").replace(":", "_").strip(" .")
    return f"data {cleaned}" if cleaned.isdigit() else cleaned or "data"


def _as_params(params: Mapping[str, Any]) -> dict[str, str]:
    return {clean_key(key): text(value, 6000) for key, value in params.items()}


def _as_used(request: LogDataset) -> RunDataset:
    return RunDataset(
        name=request.name,
        digest=request.digest,
        role=request.role,
        rows=request.rows,
        columns=request.columns,
        source_type=request.source_type,
        source=request.source,
        schema=None,
        profile=None,
        file=request.file,
        split=request.split,
        tags={},
        recorded_at=utc_now(),
    )


def _as_trained(request: LogModel) -> TrainedModel:
    now = utc_now()
    return TrainedModel(
        id=request.id,
        run=request.run,
        claimed_run="",
        experiment_id="",
        location="",
        name=request.name,
        state="ready",
        type=request.type,
        engine=request.engine,
        task=request.task,
        digest=files_digest((file.path, file.digest, file.size) for file in request.files),
        signature=request.signature,
        files=request.files,
        params=request.params,
        tags={},
        metrics=[],
        recorded_at=now,
        updated_at=now,
        deleted_at=None,
    )
