"""Pickles: reading one runs the code in it, so it is read only where the user said so."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.extras import require

ALLOW = "--allow-code-models"
EXTRA = "models"


def check_allowed(what: str, *, allow_code: bool) -> None:
    """Refuse what may run code, unless the user allowed it."""
    if not allow_code:
        raise Invalid(
            f"{what} may hold code, which reading it would run",
            field="source",
            fix=f"save it with skops or as ONNX, or allow it with {ALLOW} if you trust who made it",
        )


def read_pickle(path: Path, *, allow_code: bool) -> Any:
    """The object in a pickle, of joblib or of Python itself; errors: not allowed, or damaged."""
    check_allowed(f"the pickle {path.name}", allow_code=allow_code)
    try:
        if path.suffix == ".joblib" or find_spec("joblib") is not None:
            return require("joblib", EXTRA).load(path)
        with path.open("rb") as file:
            return pickle.load(file)  # noqa: S301  the user allowed it
    except ModuleNotFoundError as error:
        raise Invalid(
            f"{path.name} needs the package {error.name!r}, which is not installed",
            field="source",
            fix=f"pip install {(error.name or '').partition('.')[0]}",
        ) from None
    except Exception as error:  # what a damaged pickle raises may be anything
        raise Invalid(
            f"{path.name} cannot be read as a pickle: {type(error).__name__}: {error}",
            field="source",
        ) from error
