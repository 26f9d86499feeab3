"""Estimators as files: skops where it is installed, since reading it runs nothing; else joblib's pickle."""

from __future__ import annotations

import json
import re
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.engines.scikit_learn import ScikitLearnEngine
from mainspring.engines.skops_files import check_trees, unknown_types
from mainspring.recording.framework import Saved

SKOPS, JOBLIB = "model.skops", "model.joblib"
PICKLE = "a pickle: reading it runs the code in it, so read it only if you trust the run"
_IDS = re.compile(r'"__id__": (\d+)|"file": "(\d+)\.(\w+)"')
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a ZIP file can say."""


def save(model: Any, folder: Path) -> Saved:
    """Write the estimator."""
    params: dict[str, object] = {
        "class": description.class_path(model),
        "scikit-learn": import_module("sklearn").__version__,
    }
    if find_spec("skops") is not None:
        trusted = _by_skops(model, folder / SKOPS)
        if trusted is not None:
            params |= {"format": "skops"} | ({"trusted": ", ".join(trusted)} if trusted else {})
            return _saved(model, folder / SKOPS, params)
    import_module("joblib").dump(model, folder / JOBLIB)
    return _saved(model, folder / JOBLIB, params | {"format": PICKLE})


def _saved(model: Any, path: Path, params: dict[str, object]) -> Saved:
    def serve(signature: Signature | None) -> Signature:
        return ScikitLearnEngine(model, signature).narrowed_signature()

    return Saved(
        files=[path.name],
        params=params,
        engine="scikit-learn",
        runs_code=path.name == JOBLIB or not _is_data(model, path),
        serve=serve,
    )


def _is_data(model: Any, path: Path) -> bool:
    """Whether the engine reads the file without being allowed to run code."""
    try:
        check_trees(path.name, model)
        return not unknown_types(path)
    except Invalid:
        return False


def _by_skops(model: Any, path: Path) -> list[str] | None:
    """Write it, if skops can; answers the types that whoever reads it must trust."""
    skops = import_module("skops.io")
    try:
        written = path.with_suffix(".part")
        skops.dump(model, written)
        _steady(written, path)
        written.unlink()
        return [str(name) for name in skops.get_untrusted_types(file=path)]
    except Exception:  # noqa: BLE001  functions and classes that it does not know, whatever they raise
        path.unlink(missing_ok=True)
        path.with_suffix(".part").unlink(missing_ok=True)
        return None


def _steady(source: Path, target: Path) -> None:
    """The same file for the same model: skops numbers parts by their place in memory, and dates them."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        schema = read.read("schema.json").decode()
        numbers: dict[str, int] = {}
        for found in _IDS.finditer(schema):
            numbers.setdefault(found[1] or found[2], len(numbers) + 1)

        def renamed(found: re.Match[str]) -> str:
            if found[1]:
                return f'"__id__": {numbers[found[1]]}'
            return f'"file": "{numbers[found[2]]}.{found[3]}"'

        files = {}
        for name in read.namelist():
            stem, dot, suffix = name.partition(".")
            files[f"{numbers[stem]}{dot}{suffix}" if stem in numbers else name] = read.read(name)
        files["schema.json"] = _IDS.sub(renamed, schema).encode()
        json.loads(files["schema.json"])
        for name in sorted(files):
            write.writestr(
                zipfile.ZipInfo(name, EPOCH), files[name], compress_type=zipfile.ZIP_DEFLATED
            )
