"""Paths of artifacts: which are safe, and whose files they name."""

from __future__ import annotations

import posixpath
import re
from pathlib import PureWindowsPath
from urllib.parse import unquote, urlsplit

from mainspring.interfaces.mlflow_api.failure import MlflowError

LONGEST = 600
DECODED_AT_MOST = 10
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


def safe_path(path: str) -> str:
    """The path below a root of ours, decoded as far as it goes; refused if it leads out of there.

    A client decodes a listed path before it asks for it, so what is stored is decoded as well.
    """
    for _ in range(DECODED_AT_MOST):
        decoded = unquote(path)
        if decoded == path:
            break
        path = decoded
    else:
        raise MlflowError("Invalid path")
    # Some file names of MLflow look like encoded control characters: `step%100`.
    path = re.sub(r"[\x00-\x1f\x7f]", lambda found: f"%{ord(found[0]):02x}", path)
    if (
        "#" in path
        or "\\" in path
        or ".." in path.split("/")
        or path.startswith("/")
        or PureWindowsPath(path).is_absolute()
        or path[:5].lower() == "file:"
        or len(path) > LONGEST
    ):
        raise MlflowError("Invalid path")
    plain = posixpath.normpath(path)
    return "" if plain == "." else plain


def safe_file(path: str) -> str:
    """The same for the path of a file, which the root itself is not."""
    plain = safe_path(path)
    if not plain:
        raise MlflowError("Invalid path")
    return plain


def proxied(uri: str) -> str | None:
    """The path below the proxy's root that a URI names; None for the stores of others."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        return parts.path.strip("/")
    if parts.scheme in ("http", "https") and _PROXY in parts.path + "/":
        return (parts.path + "/").partition(_PROXY)[2].strip("/")
    return None
