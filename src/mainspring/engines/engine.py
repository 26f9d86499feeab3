"""A model folder: `model.json` says which engine reads it and what goes in and out."""

from __future__ import annotations

import inspect
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
            rows = check_inputs(self.signature, inputs)
            if self.rows is not None and rows != self.rows:
                raise Invalid(
                    f"the model takes {self.rows} rows a call; these are {rows}", field="inputs"
                )
        return self.engine.predict(inputs)

    def close(self) -> None:
        """Let go of what the engine holds; no call may be under way or follow."""
        close = getattr(self.engine, "close", None)
        if close is not None:
            close()


def load_model(folder: Path, *, allow_code: bool = False) -> LoadedModel:
    """Load the model in `folder` with the engine that its description names.

    An engine whose files may hold code has a parameter `allow_code`, and refuses such a file unless
    it is true.
    """
    description = read_description(folder)
    load = plug("engines", description.engine)
    told = "allow_code" in inspect.signature(load).parameters
    engine = load(folder, description, **({"allow_code": allow_code} if told else {}))
    return as_loaded(description.engine, description.signature, engine)


def as_loaded(name: str, signature: Signature, engine: Engine) -> LoadedModel:
    """The engine as a model; one may say `batching` and `rows` about itself."""
    return LoadedModel(
        name=name,
        signature=signature,
        engine=engine,
        batching=getattr(engine, "batching", True),
        rows=getattr(engine, "rows", None),
    )


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
