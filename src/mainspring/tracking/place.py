"""The places of files, and the paths below our store by which other tools name them."""

from __future__ import annotations

import re

LOOSE = "files"
"""The place of files that belong to no run and no trained model."""
_OWNED = re.compile(
    r"(?:^|/)(?:models/m-(?P<model>[0-9a-f]{32})|(?P<run>[0-9a-f]{32}))/artifacts(?:/(?P<rest>.*))?$"
)


def located(path: str) -> tuple[str, str]:
    """The place that a path below our store names, and the path within it."""
    found = _OWNED.search(path)
    if found is None:
        return LOOSE, path
    place = f"models/{found['model']}" if found["model"] else f"runs/{found['run']}"
    return place, found["rest"] or ""
