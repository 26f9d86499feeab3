"""The module-level words `ms.run`, `ms.promote`, ...: the same as a default `Client`'s."""

from __future__ import annotations

import threading
from typing import Any

from mainspring.interfaces.sdk.client import Client

_lock = threading.Lock()
_default: dict[str, Client] = {}


def default_client() -> Client:
    """The process's own client, made when it is first needed."""
    with _lock:
        if "client" not in _default:
            _default["client"] = Client()
        return _default["client"]


def __getattr__(name: str) -> Any:
    return getattr(default_client(), name)
