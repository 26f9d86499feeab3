"""What a version was trained on and how it did on rows it had not seen: the yardstick of windows."""

from __future__ import annotations

import numpy as np

from mainspring.core.errors import NotFound
from mainspring.core.operation import FileClient
from mainspring.datasets.inputs import event_micros, to_inputs
from mainspring.datasets.storage import read_rows
from mainspring.engines.engine import load_model
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameVersion
from mainspring.registry.model import ModelVersion
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import NameRun
from mainspring.tracking.files import fetched, fetched_folder
from mainspring.validation.profile import Profile, build_profile
from mainspring.validation.statistics import auc

SCORE = "score"


class Reference:
    """A version's yardstick."""

    def __init__(self, client: FileClient, version: ModelVersion, day_starts_at: int) -> None:
        self.version = version
        self.inputs = [column.name for column in version.signature.inputs]
        self.output = version.signature.outputs[0].name
        self._day_starts_at = day_starts_at
        files = self._files(client)
        training = read_rows(fetched(client, files["training"]))
        self.profile = self._profiled(to_inputs(training, self.inputs), event_micros(training))
        holdout = read_rows(fetched(client, files["holdout"]))
        model = load_model(fetched_folder(client, version.own_digest(), version.files))
        score = np.asarray(model.predict(to_inputs(holdout, self.inputs))[self.output]).reshape(-1)
        self.scores = self._profiled({SCORE: score}, event_micros(holdout))
        self.holdout_auc = None
        if version.task == "binary":
            self.holdout_auc = auc(holdout["label"].to_numpy().astype(float), score)

    def _files(self, client: FileClient) -> dict[str, str]:
        wanted = {"training", "holdout"}
        found: dict[str, str] = {}
        if self.version.run is not None:
            run = client.call(tracking.show_run, NameRun(run=self.version.run))
            found = {one.role: one.file for one in run.datasets if one.file and one.role in wanted}
        if found.keys() < wanted:
            raise NotFound(
                f"{self.version.model}@{self.version.version} has no stored rows for "
                f"{', '.join(sorted(wanted - found.keys()))}: there is nothing to compare with",
                fix="log them in its run: run.log_dataset(rows, name=..., role='training')",
            )
        return found

    def _profiled(self, columns: dict[str, np.ndarray], times: np.ndarray | None) -> Profile:
        return build_profile(columns, None if times is None else times - self._day_starts_at)


_references: dict[tuple[str, str, int], Reference] = {}


def reference_of(client: FileClient, model: str, number: int, day_starts_at: int) -> Reference:
    """The version's yardstick, built once in this process; days start so many microseconds late."""
    version = client.call(registry.show_version, NameVersion(model=model, version=number))
    key = (version.trained_model or version.run or "", version.own_digest(), day_starts_at)
    if key not in _references:
        _references[key] = Reference(client, version, day_starts_at)
    return _references[key]
