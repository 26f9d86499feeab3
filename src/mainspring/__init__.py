"""Mainspring: track, register, validate, deploy, monitor, retrain, and round again.

The public names below are loaded when they are first used, so that importing costs nothing. The
words in lower case act on the home's server or, if none runs, on the home itself::

    import mainspring as ms

    with ms.run("first try", config={"rate": 0.1}) as run:
        run.log({"auc": 0.71}, step=1)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.core.errors import (
        Blocked,
        Conflict,
        Forbidden,
        Invalid,
        MainspringError,
        NotFound,
        Unauthenticated,
        Unavailable,
        Unreachable,
    )
    from mainspring.core.signature import Column, Signature
    from mainspring.interfaces.sdk.client import Client, Pending
    from mainspring.interfaces.sdk.endpoint import Endpoint
    from mainspring.tracking.recording import Run

__version__ = "0.1.0.dev0"

_CLASSES = {
    "Blocked": "mainspring.core.errors",
    "Client": "mainspring.interfaces.sdk.client",
    "Column": "mainspring.core.signature",
    "Conflict": "mainspring.core.errors",
    "Endpoint": "mainspring.interfaces.sdk.endpoint",
    "Forbidden": "mainspring.core.errors",
    "Invalid": "mainspring.core.errors",
    "MainspringError": "mainspring.core.errors",
    "NotFound": "mainspring.core.errors",
    "Pending": "mainspring.interfaces.sdk.client",
    "Run": "mainspring.tracking.recording",
    "Signature": "mainspring.core.signature",
    "Unauthenticated": "mainspring.core.errors",
    "Unavailable": "mainspring.core.errors",
    "Unreachable": "mainspring.core.errors",
}
_WORDS = (
    "approve",
    "deploy",
    "endpoint",
    "monitor",
    "promote",
    "register",
    "reject",
    "retrain_policy",
    "run",
    "runbook",
    "suite",
    "version",
    "watch",
)

__all__ = [  # noqa: PLE0604  the words are chosen above, once
    "Blocked",
    "Client",
    "Column",
    "Conflict",
    "Endpoint",
    "Forbidden",
    "Invalid",
    "MainspringError",
    "NotFound",
    "Pending",
    "Run",
    "Signature",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "__version__",
    *_WORDS,
]


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(_CLASSES[name]), name)
    if name in _WORDS:
        return getattr(import_module("mainspring.interfaces.sdk.session"), name)
    raise AttributeError(f"module 'mainspring' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
