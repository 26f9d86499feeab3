"""The URIs that a version's files are fetched from: whether they lead to the files it is made of."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

from mainspring.tracking.place import located

OURS = "mlflow-artifacts"
"""The scheme of the files that the server keeps itself."""


def leads_to(uri: str, place: str, folder: str, kept: str) -> bool:
    """Whether who fetches from the URI gets what is below a folder of a place of ours.

    `kept` is where the experiment keeps its files: `runs:/` and `models:/` are fetched from there.
    """
    parts = _split(uri)
    if parts is None or parts.netloc or parts.query or parts.fragment:
        return False
    path, folder = unquote(parts.path).strip("/"), folder.strip("/")
    if unquote(path) != path:  # others would read it in another way
        return False
    kind, _, owner = place.partition("/")
    if parts.scheme == OURS:
        found, within = located(path)
        return (found, within.strip("/")) == (place, folder)
    name = {"runs": owner, "models": f"m-{owner}"}[kind]
    return parts.scheme == kind and path == f"{name}/{folder}".rstrip("/") and is_ours(kept)


def is_ours(kept: str) -> bool:
    """Whether an experiment that keeps its files there keeps them in our own store."""
    parts = _split(kept)
    return not kept or (parts is not None and parts.scheme == OURS and not parts.netloc)


def _split(uri: str) -> SplitResult | None:
    try:
        return urlsplit(uri)
    except ValueError:
        return None
