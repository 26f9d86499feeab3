"""The one loader of packages that not everybody needs: it says what brings a missing one."""

from __future__ import annotations

import importlib
from types import ModuleType

from mainspring.core.errors import Unavailable

OURS = "mainspring"
"""Parts of this package need extras too: `mainspring.datasets` is nothing without pyarrow."""


def missing(module: str, extra: str | None) -> Unavailable:
    """The error for a package that is not installed."""
    what = f"'mainspring[{extra}]'" if extra else "mainspring"
    return Unavailable(f"the package {module!r} is not installed", fix=f"pip install {what}")


def require(module: str, extra: str | None) -> ModuleType:
    """Import `module`, or say which extra of Mainspring brings it; None: all have it, few use it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        root, lacks = module.partition(".")[0], error.name or module
        if root == OURS and lacks.partition(".")[0] != OURS:
            raise missing(lacks, extra) from None  # what a part of ours needs
        # A package that is there but lacks one of its own needs is another fault: let it show.
        if lacks != root:
            raise
        raise missing(module, extra) from None
