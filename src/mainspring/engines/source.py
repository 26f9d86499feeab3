"""What `mainspring serve NAME=SOURCE` may name, loaded: a folder, a file, or a Python class."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from mainspring.core.errors import Invalid, NotFound
from mainspring.engines import python, scikit_learn
from mainspring.engines.engine import DESCRIPTION, LoadedModel, as_loaded, load_model
from mainspring.engines.lightgbm import LightGBMEngine
from mainspring.engines.mlflow_folder import MLMODEL, is_mlflow_folder, load_mlflow_folder
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.pickles import read_pickle

CLASS = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")
CHUNK_BYTES = 1 << 20


def load_source(source: str, *, allow_code: bool = False) -> LoadedModel:
    """Load a model folder of ours or of MLflow, a model file, or `module:Class`.

    Pickles are read only with `allow_code`. Errors: `NotFound` for what is not there, `Invalid` for what
    cannot be read, `Unavailable` for a library that is not installed.
    """
    path = _path(source)
    try:
        if path is None:
            module, name = _class(source)
            engine = python.load_class(module, name)
            return as_loaded("python", engine.signature, engine)
        return _load_folder(path, allow_code) if path.is_dir() else _load_file(path, allow_code)
    except OSError as error:
        raise Invalid(f"{source!r} cannot be read: {error}", field="source") from None


def digest_of(source: str) -> str:
    """`sha256:...` over the file, over all files of the folder, or over the module's file."""
    path = _path(source)
    try:
        if path is None:
            path = python.file_of(_class(source)[0])
        found = _folder_digest(path) if path.is_dir() else _file_digest(path)
    except OSError as error:
        raise Invalid(f"{source!r} cannot be read: {error}", field="source") from None
    return f"sha256:{found}"


def _path(source: str) -> Path | None:
    """The folder or file that is named, if it is there."""
    try:
        return Path(source) if source and Path(source).exists() else None
    except (OSError, ValueError):
        return None


def _class(source: str) -> tuple[str, str]:
    named = CLASS.fullmatch(source)
    if named is None:
        raise NotFound(
            f"there is no file or folder {source!r}",
            field="source",
            fix="name a model file, a model folder, or a Python class as module:Class",
        )
    return named["module"], named["name"]


def _load_folder(folder: Path, allow_code: bool) -> LoadedModel:  # noqa: FBT001
    if (folder / DESCRIPTION).is_file():
        return load_model(folder, allow_code=allow_code)
    if is_mlflow_folder(folder):
        return load_mlflow_folder(folder, allow_code=allow_code)
    raise NotFound(
        f"{folder} holds no {DESCRIPTION} and no {MLMODEL}",
        field="source",
        fix="name a folder that Mainspring or MLflow saved, or the model file in it",
    )


def _load_file(path: Path, allow_code: bool) -> LoadedModel:  # noqa: FBT001
    load = FILES.get(path.suffix.lower())
    if load is None:
        raise Invalid(
            f"{path.name} ends in none of {', '.join(FILES)}",
            field="source",
            fix="name a model file, a model folder, or a Python class as module:Class",
        )
    return load(path, allow_code)


def _load_onnx(path: Path, allow_code: bool) -> LoadedModel:  # noqa: ARG001, FBT001
    engine = ONNXEngine(path.read_bytes())
    return as_loaded("onnx", engine.signature, engine)


def _load_lightgbm(path: Path, allow_code: bool) -> LoadedModel:  # noqa: ARG001, FBT001
    engine = LightGBMEngine(path.read_bytes())
    return as_loaded("lightgbm", engine.signature, engine)


def _load_skops(path: Path, allow_code: bool) -> LoadedModel:  # noqa: FBT001
    engine = scikit_learn.ScikitLearnEngine(
        scikit_learn.read_estimator(path, allow_code=allow_code)
    )
    return as_loaded("scikit-learn", engine.signature, engine)


def _load_pickle(path: Path, allow_code: bool) -> LoadedModel:  # noqa: FBT001
    found = read_pickle(path, allow_code=allow_code)
    if hasattr(found, "get_params"):
        estimator = scikit_learn.ScikitLearnEngine(scikit_learn.in_one_thread(found))
        return as_loaded("scikit-learn", estimator.signature, estimator)
    engine = python.PythonEngine(found, type(found).__name__)
    return as_loaded("python", engine.signature, engine)


FILES: dict[str, Callable[[Path, bool], LoadedModel]] = {
    ".onnx": _load_onnx,
    ".txt": _load_lightgbm,
    ".lgb": _load_lightgbm,
    ".lightgbm": _load_lightgbm,
    ".skops": _load_skops,
    ".pkl": _load_pickle,
    ".pickle": _load_pickle,
    ".joblib": _load_pickle,
}
"""How a file that ends so is loaded."""


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _folder_digest(folder: Path) -> str:
    """Names and contents in the order of the names; what Python caches of modules is none of it."""
    digest = hashlib.sha256()
    paths = [
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if Path(place).name != "__pycache__"
    ]
    for path in sorted(paths, key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix().encode(errors="surrogateescape")
        digest.update(b"%d:%b:%b;" % (len(name), name, _file_digest(path).encode()))
    return digest.hexdigest()
