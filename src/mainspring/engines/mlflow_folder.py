"""Model folders that MLflow saved, read without MLflow: the flavours of which we have the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.errors import Invalid, NotFound, TooLarge
from mainspring.core.extras import require
from mainspring.core.signature import Column, Signature
from mainspring.engines.engine import LoadedModel, as_loaded
from mainspring.engines.lightgbm import LightGBMEngine
from mainspring.engines.mlflow_signature import MLflowInputs, read_inputs
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.pickles import EXTRA
from mainspring.engines.scikit_learn import ScikitLearnEngine, read_estimator

MLMODEL = "MLmodel"
MLMODEL_BYTES = 1 << 20
"""How large the description may be, before it is parsed."""
LIGHTGBM_TEXT = frozenset({".lgb", ".txt", ".lightgbm"})


@dataclass(frozen=True, slots=True)
class Flavour:
    """What the description says of the library that reads the model."""

    folder: Path
    name: str
    said: dict[str, Any]
    """The flavour's own part of the description."""
    inputs: MLflowInputs
    allow_code: bool

    def file(self, *keys: str) -> Path:
        """The file that one of the keys names; errors: none does, or it is not in the folder."""
        named = next((self.said[key] for key in keys if isinstance(self.said.get(key), str)), None)
        if named is None:
            raise Invalid(
                f"{MLMODEL}: the flavour {self.name!r} names no file ({' or '.join(keys)})",
                field="flavors",
            )
        return inside(self.folder, named)


def is_mlflow_folder(folder: Path) -> bool:
    """Whether MLflow saved the folder."""
    return (folder / MLMODEL).is_file()


def load_mlflow_folder(folder: Path, *, allow_code: bool) -> LoadedModel:
    """Load the folder with the engine of its flavour; errors: none of ours, damaged, not allowed."""
    flavour = _flavour(folder, _description(folder), allow_code=allow_code)
    return LOADERS[flavour.name](flavour)


def inside(folder: Path, named: str) -> Path:
    """The path in the folder; errors: it leads out of it, also by a link, or is not there."""
    try:
        path = (folder / named).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise Invalid(f"{MLMODEL}: {named!r} leads out of the folder", field="flavors")
        found = path.exists()
    except (OSError, ValueError) as error:
        raise Invalid(f"{MLMODEL}: {named!r} is no path: {error}", field="flavors") from None
    if not found:
        raise NotFound(f"{MLMODEL} names {named!r}, which is not there", field="flavors")
    return path


def _description(folder: Path) -> dict[str, Any]:
    path = folder / MLMODEL
    size = path.stat().st_size
    if size > MLMODEL_BYTES:
        raise TooLarge(f"{path} has {size} bytes; {MLMODEL_BYTES} are read", field="source")
    yaml = require("yaml", EXTRA)
    try:
        # Texts only: no types, and no merging of mappings, which can grow without bound.
        found = yaml.load(path.read_bytes(), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise Invalid(f"{path} is not valid YAML: {error}", field="source") from None
    flavours = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavours, dict):
        raise Invalid(f"{path} names no flavours", field="flavors")
    return dict(found)


def _flavour(folder: Path, found: dict[str, Any], *, allow_code: bool) -> Flavour:
    flavours = {name: said for name, said in found["flavors"].items() if isinstance(said, dict)}
    inputs = read_inputs(found.get("signature"))
    for name in LOADERS:
        if name in flavours:
            return Flavour(folder, name, flavours[name], inputs, allow_code)
    general = flavours.get("python_function", {})
    name = str(general.get("loader_module", "")).removeprefix("mlflow.")
    if name in LOADERS:
        # What this flavour points at may be a folder that holds the flavour's own file.
        return Flavour(folder, name, _general(folder, general), inputs, allow_code)
    raise Invalid(
        f"{folder / MLMODEL} has the flavours {', '.join(map(repr, flavours)) or 'none'}"
        + (f" with the loader {general['loader_module']!r}" if "loader_module" in general else "")
        + f"; served are {', '.join(LOADERS)}",
        field="flavors",
        fix="save the model with one of these flavours, or serve a Python class: module:Class",
    )


def _general(folder: Path, said: dict[str, Any]) -> dict[str, Any]:
    named = said.get("model_path", said.get("data"))
    if not isinstance(named, str):
        return said
    path = inside(folder, named)
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.name.startswith("model."))
        if len(files) != 1:
            raise Invalid(f"{MLMODEL}: {named!r} holds no one model file", field="flavors")
        named = f"{named}/{files[0].name}"
    return {**said, "data": named, "pickled_model": named}


def _load_estimator(flavour: Flavour, path: Path) -> LoadedModel:
    _see_code(flavour)
    estimator = read_estimator(path, allow_code=flavour.allow_code)
    engine = ScikitLearnEngine(estimator, flavour.inputs.signature())
    return _as_loaded("scikit-learn", engine, flavour)


def _load_sklearn(flavour: Flavour) -> LoadedModel:
    return _load_estimator(flavour, flavour.file("pickled_model", "data"))


def _load_lightgbm(flavour: Flavour) -> LoadedModel:
    path = flavour.file("data")
    if path.suffix not in LIGHTGBM_TEXT:
        return _load_estimator(flavour, path)
    text = path.read_bytes()
    own = LightGBMEngine(text)
    signature = flavour.inputs.signature(own.signature.outputs)
    engine = LightGBMEngine(text, signature) if signature else own
    return _as_loaded("lightgbm", engine, flavour)


def _load_onnx(flavour: Flavour) -> LoadedModel:
    path = flavour.file("data")
    own = ONNXEngine(path)
    columns = tuple(_never_missing_text(column) for column in flavour.inputs.columns)
    named = {column.name for column in columns} == {one.name for one in own.signature.inputs}
    if not columns or (named and any(column.shape for column in columns)):
        # The file says the shapes of tensors itself, and more truly.
        return _as_loaded("onnx", own, flavour)
    engine = ONNXEngine(path, Signature(inputs=columns, outputs=own.signature.outputs))
    return _as_loaded("onnx", engine, flavour)


def _never_missing_text(column: Column) -> Column:
    """The column as ONNX can have it."""
    return msgspec.structs.replace(column, nullable=False) if column.datatype == "BYTES" else column


def _as_loaded(name: str, engine: Any, flavour: Flavour) -> LoadedModel:
    loaded = as_loaded(name, engine.signature, engine)
    rows = flavour.inputs.rows
    if rows is None:
        return loaded
    return LoadedModel(
        name=name, signature=loaded.signature, engine=engine, batching=False, rows=rows
    )


def _see_code(flavour: Flavour) -> None:
    """Let a pickle find the modules that were saved beside it."""
    code = flavour.said.get("code")
    if flavour.allow_code and isinstance(code, str) and (flavour.folder / code).is_dir():
        path = str(inside(flavour.folder, code))
        if path not in sys.path:
            sys.path.append(path)


LOADERS: dict[str, Callable[[Flavour], LoadedModel]] = {
    "sklearn": _load_sklearn,
    "lightgbm": _load_lightgbm,
    "onnx": _load_onnx,
}
"""The flavours that are read, in the order in which they are looked for."""
