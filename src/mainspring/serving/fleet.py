"""The models a data plane serves: loaded from a snapshot, warmed up, swapped as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mainspring.core.errors import NotFound
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.engines.tensor import DTYPES, Tensors
from mainspring.serving.batching import Line
from mainspring.serving.protocol import Codec
from mainspring.serving.snapshot import ServedFolder, Snapshot


class ServedModel:
    """One version, ready to answer."""

    def __init__(self, source: ServedFolder, model: LoadedModel) -> None:
        self.source = source
        self.model = model
        self.codec = Codec(model.signature)
        self.line = Line()
        self.inputs = _datatypes(model.signature.inputs)
        self.outputs = _datatypes(model.signature.outputs)


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
            raise NotFound(f"no model named {name!r}; served are {', '.join(self.models)}")
        if version is None:
            return next(iter(versions.values()))
        if version not in versions:
            raise NotFound(
                f"model {name!r} has no version {version!r}; served are {', '.join(versions)}"
            )
        return versions[version]

    def versions(self) -> list[dict[str, str]]:
        """What is served, for people and supervisors."""
        return [
            {
                "name": source.name,
                "version": source.version,
                "digest": source.digest,
            }
            for source in self.snapshot.models
        ]


def load_fleet(snapshot: Snapshot, previous: Fleet | None = None) -> Fleet:
    """Load and try every model; those that `previous` serves already are kept."""
    kept = (
        {
            model.source: model
            for versions in previous.models.values()
            for model in versions.values()
        }
        if previous
        else {}
    )
    models: dict[str, dict[str, ServedModel]] = {}
    for source in snapshot.models:
        served = kept.get(source) or _load(source)
        models.setdefault(source.name, {})[source.version] = served
    return Fleet(snapshot=snapshot, tokens=frozenset(snapshot.tokens), models=models)


def _load(source: ServedFolder) -> ServedModel:
    model = load_model(Path(source.folder))
    # The first call allocates and may fail: neither shall happen to a caller.
    model.predict(synthetic_row(model.signature))
    return ServedModel(source, model)


def synthetic_row(signature: Signature) -> Tensors:
    """One row that fits the signature."""
    row: Tensors = {}
    for column in signature.inputs:
        value: object = 0
        if column.datatype == "BYTES":
            value = column.categories[0] if column.categories else ""
        row[column.name] = np.array([value], dtype=DTYPES[column.datatype])
    return row


def _datatypes(columns: tuple[Column, ...]) -> dict[str, Datatype]:
    return {column.name: column.datatype for column in columns}
