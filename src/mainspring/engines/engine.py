"""A model folder: `model.json` says which engine reads it and what goes in and out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.plugins import plug
from mainspring.core.signature import Signature
from mainspring.engines import strict
from mainspring.engines.tensor import Tensors, check_inputs, check_signature

DESCRIPTION = "model.json"


class Engine(Protocol):
    """Computes the outputs of one loaded model; called from several threads at once."""

    def predict(self, inputs: Tensors) -> Tensors: ...


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `model.json` says."""

    engine: str
    signature: Signature
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model ready to be called."""

    name: str
    """The name of the engine."""
    signature: Signature
    """What it takes and gives; a model without declared inputs takes any tensors."""
    engine: Engine
    batching: bool = True
    """Whether rows of several requests may be computed in one call, each row by itself."""
    rows: int | None = None
    """How many rows a call has to have, where the model was made for one number of them."""

    def predict(self, inputs: Tensors) -> Tensors:
        """Check `inputs` against the signature, then compute."""
        if self.signature.inputs:
            check_inputs(self.signature, inputs)
        return self.engine.predict(inputs)


def load_model(folder: Path) -> LoadedModel:
    """Load the model in `folder` with the engine that its description names."""
    description = read_description(folder)
    engine: Engine = plug("engines", description.engine)(folder, description)
    return LoadedModel(name=description.engine, signature=description.signature, engine=engine)


def read_description(folder: Path) -> ModelDescription:
    """Read and check `model.json`, and that the files it names are there."""
    path = folder / DESCRIPTION
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{folder} holds no {DESCRIPTION}") from None
    description = strict.decode(ModelDescription, raw, str(path))
    check_signature(description.signature)
    for name in description.files:
        # Only plain names: a description must not reach outside of its folder.
        if name in ("", ".", "..") or Path(name).name != name:
            raise Invalid(f"{path}: {name!r} is not a plain file name", field="files")
        if not (folder / name).is_file():
            raise NotFound(f"{path} names the file {name!r}, which is not there", field="files")
    return description


def write_description(folder: Path, description: ModelDescription) -> None:
    """Write `model.json` into `folder`."""
    check_signature(description.signature)
    (folder / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(description)))
