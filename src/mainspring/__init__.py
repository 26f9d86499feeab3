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
    from mainspring.interfaces.sdk.words import (
        active_run,
        autolog,
        end_run,
        finish,
        init,
        log,
        log_artifact,
        log_artifacts,
        log_dataset,
        log_dict,
        log_figure,
        log_image,
        log_metric,
        log_metrics,
        log_model,
        log_param,
        log_params,
        log_table,
        log_text,
        set_experiment,
        set_tag,
        set_tags,
        start_run,
    )
    from mainspring.recording.config import Config
    from mainspring.recording.duplicates import AlreadyTried
    from mainspring.recording.media import Image, Table
    from mainspring.recording.run import Run

    _client = Client()
    config: Config
    approve = _client.approve
    deploy = _client.deploy
    endpoint = _client.endpoint
    monitor = _client.monitor
    promote = _client.promote
    register = _client.register
    reject = _client.reject
    retrain_policy = _client.retrain_policy
    run = _client.run
    runbook = _client.runbook
    suite = _client.suite
    sync = _client.sync
    version = _client.version
    watch = _client.watch

__version__ = "0.1.0.dev0"

_CLASSES = {
    "AlreadyTried": "mainspring.recording.duplicates",
    "Blocked": "mainspring.core.errors",
    "Client": "mainspring.interfaces.sdk.client",
    "Column": "mainspring.core.signature",
    "Config": "mainspring.recording.config",
    "Conflict": "mainspring.core.errors",
    "Endpoint": "mainspring.interfaces.sdk.endpoint",
    "Forbidden": "mainspring.core.errors",
    "Image": "mainspring.recording.media",
    "Invalid": "mainspring.core.errors",
    "MainspringError": "mainspring.core.errors",
    "NotFound": "mainspring.core.errors",
    "Pending": "mainspring.interfaces.sdk.client",
    "Run": "mainspring.recording.run",
    "Signature": "mainspring.core.signature",
    "Table": "mainspring.recording.media",
    "Unauthenticated": "mainspring.core.errors",
    "Unavailable": "mainspring.core.errors",
    "Unreachable": "mainspring.core.errors",
}
_OF_THE_CLIENT = (
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
    "sync",
    "version",
    "watch",
)
"""Words that are a default client's methods."""
_OF_THE_RUN = (
    "active_run",
    "autolog",
    "end_run",
    "finish",
    "init",
    "log",
    "log_artifact",
    "log_artifacts",
    "log_dataset",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "set_experiment",
    "set_tag",
    "set_tags",
    "start_run",
)
"""Words that act on the active run."""

__all__ = [  # noqa: PLE0604  the words are chosen above, once
    "AlreadyTried",
    "Blocked",
    "Client",
    "Column",
    "Config",
    "Conflict",
    "Endpoint",
    "Forbidden",
    "Image",
    "Invalid",
    "MainspringError",
    "NotFound",
    "Pending",
    "Run",
    "Signature",
    "Table",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "__version__",
    "config",
    *_OF_THE_CLIENT,
    *_OF_THE_RUN,
]


_OF_THE_NOTEBOOK = ("load_ipython_extension", "unload_ipython_extension")
"""What `%load_ext mainspring` asks for."""


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(import_module(_CLASSES[name]), name)
    if name in _OF_THE_NOTEBOOK:
        return getattr(import_module("mainspring.interfaces.notebook"), name)
    if name in _OF_THE_CLIENT:
        return getattr(import_module("mainspring.interfaces.sdk.session"), name)
    if name in _OF_THE_RUN:
        return getattr(import_module("mainspring.interfaces.sdk.words"), name)
    if name == "config":
        return import_module("mainspring.interfaces.sdk.words").config()
    raise AttributeError(f"module 'mainspring' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
