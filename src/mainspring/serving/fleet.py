"""The models a data plane serves: loaded from a snapshot, warmed up, swapped as a whole."""

from __future__ import annotations

import contextlib
import logging
import weakref
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import Invalid, MainspringError, NotFound
from mainspring.core.signature import Column, Datatype
from mainspring.engines.choice import load_alone, load_chosen
from mainspring.engines.engine import LoadedModel
from mainspring.engines.missing import made_up
from mainspring.engines.source import load_source
from mainspring.serving.batching import Line
from mainspring.serving.framing import Framing
from mainspring.serving.log_policy import LogPolicy
from mainspring.serving.metrics import ModelMetrics
from mainspring.serving.protocol import Codec
from mainspring.serving.snapshot import Choice, Limits, Snapshot, Source

log = logging.getLogger("mainspring.serving")

SERIAL = "python"
"""The engine whose models are called one at a time, and never on the event loop: it is not ours."""


class NotLoaded(NotFound):
    """When a model is known that somebody took out of service: nothing is served by its name."""


class ServedModel:
    """One version, ready to answer."""

    def __init__(
        self, source: Source, model: LoadedModel, limits: Limits, policy: LogPolicy
    ) -> None:
        self.source = source
        self.model = model
        self.limits = limits
        self.codec = Codec(model.signature, model.rows, batching=model.batching)
        self.line = Line()
        self.framing = Framing(source.name, source.version, policy)
        self.metrics = ModelMetrics()
        self.outputs: dict[str, Datatype] = {
            column.name: column.datatype for column in model.signature.outputs
        }
        self.is_by_row = model.batching or bool(model.signature.inputs)
        """Whether the first dimension of every tensor counts rows."""
        self.may_inline = self.is_parallel = model.name != SERIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Every model of one snapshot; a request keeps the fleet that it began with."""

    snapshot: Snapshot
    tokens: frozenset[str]
    models: dict[str, dict[str, ServedModel]]

    def first(self) -> ServedModel:
        """The model that is meant where a path has no room for a name."""
        return self.find(self.snapshot.models[0].name, None)

    def find(self, name: str, version: str | None) -> ServedModel:
        """The version asked for, or the first that the snapshot lists for the name."""
        versions = self.models.get(name)
        if versions is None:
            self._refuse_unloaded(name)
            raise NotFound(f"no model named {name!r}; served are {', '.join(self.models)}")
        if version is None:
            return next(iter(versions.values()))
        if version not in versions:
            raise NotFound(
                f"model {name!r} has no version {version!r}; served are {', '.join(versions)}"
            )
        return versions[version]

    def every(self) -> list[ServedModel]:
        """All that are served."""
        return [served for versions in self.models.values() for served in versions.values()]

    def versions(self) -> list[dict[str, str]]:
        """What is served, for people and supervisors."""
        return [
            {
                "name": served.source.name,
                "version": served.source.version,
                "digest": served.source.digest,
            }
            for served in self.every()
        ]

    def _refuse_unloaded(self, name: str) -> None:
        if any(source.name == name for source in self.snapshot.models):
            raise NotLoaded(
                f"model {name!r} is not loaded", fix=f"POST /v2/repository/models/{name}/load"
            )


def load_fleet(snapshot: Snapshot, previous: Fleet | None = None) -> Fleet:
    """Load and try every model; those that `previous` serves already are kept."""
    kept = {served.source: served for served in previous.every()} if previous else {}
    policy = snapshot.log.policy if snapshot.log is not None else LogPolicy()
    if previous is not None and _settings(previous.snapshot) != _settings(snapshot):
        kept = {}
    models: dict[str, dict[str, ServedModel]] = {}
    for source in snapshot.models:
        if source.loaded:
            served = kept.get(source) or _load(source, snapshot, policy)
            models.setdefault(source.name, {})[source.version] = served
    if all(source.loaded for source in snapshot.models):  # else nobody knows what columns there are
        every = [served.model for versions in models.values() for served in versions.values()]
        policy.check_against(*(model.signature for model in every))
    return Fleet(snapshot=snapshot, tokens=frozenset(snapshot.tokens), models=models)


def _settings(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.limits, snapshot.log.policy if snapshot.log is not None else None


def _load(source: Source, snapshot: Snapshot, policy: LogPolicy) -> ServedModel:
    model = _alone(source, source.choice) if source.choice is not None else None
    if model is None:
        model = load_source(source.place, allow_code=snapshot.allow_code)
        if source.choice is not None:
            model = _with_choice(model, source, source.choice)
    if model.signature.inputs:
        _warm_up(model, source)
    served = ServedModel(source, model, snapshot.limits, policy)
    # Once the last request that holds it is answered.
    weakref.finalize(served, model.close)
    return served


def _warm_up(model: LoadedModel, source: Source) -> None:
    """The first call allocates and may fail: neither shall happen to a caller."""
    try:
        # A row that was made up is one that the model may refuse.
        with contextlib.suppress(Invalid):
            model.predict(made_up(model.signature.inputs, rows=model.rows or 1))
    except MainspringError:
        raise
    except Exception as error:
        log.debug("the first call of %s failed", source.name, exc_info=True)
        said = (
            f"model {source.name!r} fails on the row that it was tried with, of zeros and empty "
            f"texts: {type(error).__name__}: {error}"
        )
        if model.name != SERIAL:
            raise Invalid(said, field="source") from error
        # No text that it knows, perhaps: only whoever wrote it can tell what it has to take.
        log.warning("%s", said)


def _alone(source: Source, choice: Choice) -> LoadedModel | None:
    """The version's conversion where nothing else is needed, and it can be loaded."""
    with contextlib.suppress(MainspringError, OSError):
        return load_alone(Path(source.place), Path(choice.folder), choice.table)
    return None  # loading it beside its own engine says why


def _with_choice(model: LoadedModel, source: Source, choice: Choice) -> LoadedModel:
    """The model with its conversion beside it; one that cannot be loaded keeps nobody from an answer."""
    try:
        return load_chosen(model, Path(choice.folder), choice.table)
    except (MainspringError, OSError) as error:
        log.warning("%s %s: its own engine answers alone: %s", source.name, source.version, error)
        return model


def tensor_of(column: Column) -> dict[str, object]:
    """A column as the metadata of a model shows it."""
    return {"name": column.name, "datatype": column.datatype, "shape": [-1, *column.shape]}
