"""A training that is a loop: from the first step of an optimizer to the end of its run."""

from __future__ import annotations

import multiprocessing
import time
import weakref
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from mainspring.adapters.frameworks.sources import Given
from mainspring.adapters.frameworks.torch import data, description, models
from mainspring.adapters.frameworks.torch.inputs import Watch, rows_of
from mainspring.adapters.frameworks.torch.objective import Objective, correct
from mainspring.adapters.frameworks.torch.passes import Pass
from mainspring.adapters.frameworks.torch.readings import Means
from mainspring.adapters.frameworks.torch.tracks import EACH, WINDOW, Track, rates_of
from mainspring.core.extras import require
from mainspring.recording import active
from mainspring.recording.autologging import Autolog, Training, guarded
from mainspring.tracking.dataset_contract import DatasetRole

EVALUATION = "evaluation"


def at_child_exit(call: Callable[[], object]) -> None:
    """Call it when this process ends, if another one forked it: such a process runs no `atexit`."""
    if multiprocessing.parent_process() is not None:
        Finalize(None, call, exitpriority=100)


class Following:
    """One training, its optimizers and its models."""

    def __init__(self, torch: Any, autolog: Autolog, objective: Objective) -> None:
        self.roots: list[Any] = []
        self.sample: Any = None
        self._torch = torch
        self._autolog = autolog
        self._objective = objective
        self._tracks: weakref.WeakKeyDictionary[Any, Track] = weakref.WeakKeyDictionary()
        self._all: list[Track] = []
        """The tracks, also of optimizers that are gone; the first one counts the steps."""
        self._joined = 0
        self._beside: weakref.WeakSet[Any] = weakref.WeakSet()
        """Optimizers that were there when it began."""
        self._linked: list[Callable[[], Any]] = []
        """Data sets that are linked."""
        self._learned: Callable[[], Any] | None = None
        """The data set whose passes are epochs."""
        self._epochs = 0
        self._evaluations: dict[str, Means] = {}
        self._watch: Watch | None = None
        self._surrounding = active.enclosing_run()
        self._training: Training | None = None
        self._closed = False
        self._since = self._until = time.perf_counter()

    def begin(self, optimizer: Any, passes: Sequence[Pass]) -> None:
        """Tell what is known at the first step."""
        self._beside.update(models.living_optimizers(self._torch))
        roots = models.roots_of(optimizer)
        title = type(roots[0] if roots else optimizer).__name__
        self._training = self._autolog.begun(title)
        self._training.run.observers.add(stop=self.close)
        at_child_exit(self.close)
        self._join(optimizer, roots)
        self._describe_loop(passes)
        for one in passes:
            self._link(one, learned=True)
        if not passes and self.roots:
            self._watch = Watch(self._torch, self.roots[0], self._sampled, self._given_whole)

    def takes(self, optimizer: Any) -> bool:
        """Whether a step of this optimizer is part of it."""
        training = self._training
        if training is None or self._closed or training.run.over:
            return False
        if optimizer in self._tracks:
            return True
        if active.enclosing_run() is not self._surrounding:
            return False
        own = {id(one) for root in self.roots for one in root.parameters()}
        shared = any(id(one) in own for group in optimizer.param_groups for one in group["params"])
        if shared or optimizer in self._beside:
            self._join(optimizer, models.roots_of(optimizer))
            return True
        return False

    def stepped(self, optimizer: Any, values: Sequence[Any], passes: Sequence[Pass]) -> None:
        """Count a step, with the losses that were differentiated for it."""
        self._until = time.perf_counter()
        track = self._tracks[optimizer]
        track.step(values, lambda: rates_of(optimizer))
        self._tell(track)
        for one in passes:
            self._link(one, learned=True)

    def learning(self) -> None:
        """The loop goes on after what it may have evaluated."""
        step = self._step
        if self._evaluations and (step < EACH or step % WINDOW == 0):
            self._tell_evaluations()

    def evaluated(self, module: Any, args: tuple[Any, ...], loss: Any, one: Pass | None) -> None:
        """A loss module was called without learning."""
        passing = one is not None and not self._learns_from(one)
        quiet = not any(root.training for root in self.roots)
        if not (passing or quiet or self._learned is None) or loss.numel() != 1:
            return
        name = (one.name if one is not None else "") or EVALUATION
        means = self._evaluations.setdefault(name, Means(self._torch))
        rows = float(args[1].shape[0]) if len(args) > 1 and args[1].ndim else 1.0
        if getattr(module, "reduction", "mean") == "sum":
            loss = loss / rows
        means.add("loss", loss, rows)
        right = correct(module, args)
        if right is not None:
            means.add("accuracy", right / rows, rows)

    def passed(self, one: Pass) -> None:
        """All batches of a loader were seen."""
        if one.learned:
            if self._learns_from(one):
                self._end_epoch()
            return
        quiet = self.roots and not any(root.training for root in self.roots)
        if quiet or self._evaluations or not self._torch.is_grad_enabled():
            self._tell_evaluations()
            self._link(one, learned=False)

    def close(self) -> None:
        """Tell what is left, and keep the models."""
        if self._closed or self._training is None:
            return
        self._closed = True
        self._tell_rest()
        for root in self.roots:
            self._keep(root)
        self.roots.clear()
        self._all.clear()
        self.sample = None

    @guarded
    def _tell_rest(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        for track in self._all:
            self._tell(track, wait=True)
        self._tell_evaluations()
        if self._training is not None:
            seconds = self._until - self._since
            self._training.metrics({"steps": self._step, "training/seconds": seconds})

    @property
    def _step(self) -> int:
        return self._all[0].steps if self._all else 0

    def _learns_from(self, one: Pass) -> bool:
        return self._learned is not None and self._learned() is one.dataset()

    def _tell(self, track: Track, *, wait: bool = False) -> None:
        training = self._training
        if training is not None:
            name = f"loss/{track.label}" if len(self._all) > 1 else "loss"
            track.tell(training.metrics, name=name, wait=wait)

    def _tell_evaluations(self) -> None:
        found = {
            f"{name}/{key}": value
            for name, means in self._evaluations.items()
            for key, value in means.taken().items()
        }
        self._evaluations.clear()
        if found and self._training is not None:
            self._training.metrics(found, max(0, self._step - 1))

    def _end_epoch(self) -> None:
        self._epochs += 1
        found: dict[str, float] = {"epoch": self._epochs}
        for track in self._all:
            self._tell(track, wait=True)
            mean = track.epoch()
            if mean is not None:
                found[f"epoch/loss/{track.label}" if len(self._all) > 1 else "epoch/loss"] = mean
        if self._training is not None:
            self._training.metrics(found, max(0, self._step - 1))

    @guarded
    def _join(self, optimizer: Any, roots: list[Any]) -> None:
        """Take an optimizer in, with the models that it changes."""
        assert self._training is not None
        new = [one for one in roots if not any(one is known for known in self.roots)]
        self._tracks[optimizer] = self._track_of(optimizer, roots)
        self._joined += 1
        self.roots.extend(new)
        self._training.params(description.optimizer(self._torch, optimizer, self._joined))
        for at, root in enumerate(new, len(self.roots) - len(new) + 1):
            self._autolog.made(root, self._training)
            self._training.params(description.model(root, at))
            name = "model.txt" if at == 1 else f"model_{at}.txt"
            self._training.words(description.words(root), name)

    def _track_of(self, optimizer: Any, roots: list[Any]) -> Track:
        """The track of a model, which several optimizers may change, together or one after another."""
        for track in self._all:
            if track.root is not None and any(one is track.root for one in roots):
                return track
        label = type(roots[0]).__name__ if roots else type(optimizer).__name__
        if any(track.label == label for track in self._all):
            label = f"{label}_{len(self._all) + 1}"
        assert self._training is not None
        every = self._training.choices.every
        track = Track(self._torch, label, every, root=roots[0] if roots else None)
        self._all.append(track)
        return track

    @guarded
    def _describe_loop(self, passes: Sequence[Pass]) -> None:
        assert self._training is not None
        found: dict[str, Any] = {}
        if self._objective.name:
            found["loss"] = self._objective.name
        if self._objective.scaled:
            found["grad_scaler"] = True
        if passes:
            found |= passes[0].how
        self._training.params(found)

    def _link(self, one: Pass, *, learned: bool) -> None:
        """Link the data behind a pass, once for each data set."""
        dataset = one.dataset()
        if dataset is None or any(known() is dataset for known in self._linked):
            return
        self._linked.append(one.dataset)
        if learned and (self._learned is None or self._learned() is None):
            self._learned = one.dataset  # some loops make it anew for each epoch
        if learned and self.sample is None:
            self.sample = one.sample
        one.sample = None
        role: DatasetRole = "training" if learned else "evaluation"
        if not learned and "val" in one.name.lower():
            role = "validation"
        name = one.name or role
        self._link_data(dataset, name, role)

    @guarded
    def _link_data(self, dataset: Any, name: str, role: DatasetRole) -> None:
        if self._training is None:
            return
        self._training.params(
            {f"data.{name}.{key}": value for key, value in data.described(dataset).items()}
        )
        given = data.data_of(self._torch, dataset) if self._training.choices.datasets else None
        if given is not None and isinstance(given.features, Path):
            self._training.run.log_dataset(given.features, name=name, role=role, keep=False)
        elif given is not None:
            self._training.dataset(given.features, given.target, name=name, role=role)

    @guarded
    def _sampled(self, values: Any) -> None:
        self.sample = rows_of(self._torch, values)

    @guarded
    def _given_whole(self, values: Any) -> None:
        """The loop learns from all rows at each step."""
        if self._training is None or values.nbytes > data.LARGEST:
            return
        target = self._objective.target() if self._objective.target is not None else None
        if target is not None and (target.ndim == 0 or target.shape[0] != values.shape[0]):
            target = None
        given = Given(
            *(None if one is None else data.as_array(self._torch, one) for one in (values, target))
        )
        self._training.dataset(given.features, given.target, name="training", role="training")

    @guarded
    def _keep(self, root: Any) -> None:
        training = self._training
        if training is None or not training.choices.models:
            return
        tables = require("mainspring.adapters.frameworks.tabular", "loop")
        outputs = self._objective.outputs
        sample = self.sample if root is self.roots[0] else None
        rows = data.as_array(self._torch, sample) if sample is not None else None
        signature = tables.signature_of(rows, outputs) or tables.outputs_alone(
            outputs if sample is not None else []
        )
        name = training.prefix or "model"
        kept = training.run.log_model(
            root,
            name=name if len(self.roots) < 2 else f"{name}_{type(root).__name__}",
            engine="",
            signature=signature,
            sample=rows,
            task=self._objective.task,
        )
        training.models.append(kept)
