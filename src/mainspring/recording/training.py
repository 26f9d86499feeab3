"""One call that trains, as its framework tells of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.signature import Signature
from mainspring.recording.children import Child, Children
from mainspring.recording.duplicates import AlreadyTried
from mainspring.recording.later import Later
from mainspring.recording.run import Run
from mainspring.recording.values import clean_key, text
from mainspring.tracking.contract import RunDataset, TrainedModel
from mainspring.tracking.dataset_contract import DatasetRole
from mainspring.tracking.model_contract import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What autologging records."""

    models: bool = True
    datasets: bool = True
    figures: bool = True
    """Confusion matrices, ROC curves, importances."""
    every: int = 1
    """Iterations between two that are logged, of those that log each."""

    def lighter(self) -> Choices:
        """The same without what takes room."""
        return replace(self, models=False, figures=False)


class Training:
    """One call that trains, and what is evaluated of its model afterwards."""

    def __init__(
        self,
        run: Run,
        prefix: str,
        *,
        outermost: bool,
        choices: Choices,
        title: str = "",
    ) -> None:
        self.run = run
        self.outermost = outermost
        self.choices = choices
        self.title = title or prefix
        self.prefix = prefix
        """Empty for the first training of a run; parameters and metrics of later ones begin with it."""
        self.models: list[TrainedModel] = []
        self.children: Children | None = None
        self.later: Later | None = None
        self.reopen: Callable[[Run], Run] | None = None

    def params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; one that the user's configuration calls otherwise goes under the title."""
        found = {}
        for key, value in params.items():
            name = clean_key(f"{self._dotted}{key}")
            theirs = self.run.config.get(name)
            if theirs is not None and text(theirs, 6000) != text(value, 6000):
                name = clean_key(f"{self.title}.{key}")
            found[name] = value
        self._open.log_params(found)

    def metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics; without a step, of the training as a whole."""
        found = {f"{self._slashed}{key}": value for key, value in metrics.items()}
        self._open.log(found, step=0 if step is None else step)

    def dataset(
        self, features: Any, target: Any = None, *, name: str, role: DatasetRole = "training"
    ) -> RunDataset | None:
        """Link the data by its digest, its rows not kept; raises `AlreadyTried` if it says so."""
        if not self.choices.datasets:
            return None
        joining = require("mainspring.datasets.joining", "loop")
        rows = joining.with_target(features, target)
        run = self._open
        used = run.log_dataset(rows, name=f"{self._dotted}{name}", role=role, keep=False)
        if run.reused and run.tried is not None:
            raise AlreadyTried(run.tried)
        return used

    def model(
        self,
        model: Any,
        *,
        sample: Any = None,
        task: Task = "",
        params: Mapping[str, Any] | None = None,
        outputs: Any = None,
    ) -> TrainedModel | None:
        """Record the model, with a sample of its inputs.

        `outputs` are predictions for the sample, if the signature is to have their type; else the
        model is taken to give a score. A sample that no signature can be made of is left out.
        """
        if not self.choices.models:
            return None
        signature = None
        if sample is not None:
            try:
                signature = _signature(sample, outputs)
            except Invalid as error:
                self.run.say("signature", "the model has no signature: %s", error.message)
                sample = None
        trained = self._open.log_model(
            model,
            name=self.prefix or "model",
            sample=sample,
            signature=signature,
            task=task,
            params=params,
        )
        self.models.append(trained)
        return trained

    def child(
        self, name: str, *, params: Mapping[str, Any] | None = None, metrics: Mapping[str, Any]
    ) -> None:
        """Record something that was tried on the way as a run of its own, part of this one."""
        if self.children is not None:
            self.children.add(Child(name, params or {}, metrics))

    def table(self, entries: Any, name: str) -> None:
        """Keep a dictionary or a list as JSON among the files of this training."""
        self._open.log_dict(entries, self.path(name))

    def words(self, words: str, name: str) -> None:
        """Keep a text among the files of this training."""
        self._open.log_text(words, self.path(name))

    def figure(self, figure: Any, name: str) -> None:
        """Keep a figure among the files of this training."""
        self._open.log_figure(figure, self.path(name))

    def soon(self, work: Callable[[], object]) -> None:
        """Do work that only this run waits for, such as drawing, beside the training."""
        if self.later is None:
            work()
        else:
            self.later.do(work)

    def tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags."""
        self._open.set_tags({f"{self._dotted}{key}": value for key, value in tags.items()})

    def path(self, name: str) -> str:
        """The path of a file of this training."""
        return f"{self._slashed}{name}"

    @property
    def _open(self) -> Run:
        """The run; of one that is over, a way to add to it."""
        if self.run.over and self.reopen is not None:
            return self.reopen(self.run)
        return self.run

    @property
    def _dotted(self) -> str:
        return f"{self.prefix}." if self.prefix else ""

    @property
    def _slashed(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""


def _signature(sample: Any, outputs: Any) -> Signature:
    packing = require("mainspring.recording.packing", "loop")
    found: Signature = packing.signature_of_call(sample, outputs)
    return found
