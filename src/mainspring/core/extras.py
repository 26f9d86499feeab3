"""The one loader of optional packages: it says which extra brings a missing one."""

from __future__ import annotations

import importlib
from types import ModuleType

from mainspring.core.errors import Unavailable


def missing(module: str, extra: str) -> Unavailable:
    """The error for a package that is not installed."""
    return Unavailable(
        f"the package {module!r} is not installed", fix=f"pip install 'mainspring[{extra}]'"
    )


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra of Mainspring to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there but lacks one of its own needs is another fault: let it show.
        if error.name != module.partition(".")[0]:
            raise
        raise missing(module, extra) from None
