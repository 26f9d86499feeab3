"""MLflow's REST API, translated: unmodified MLflow clients work against a Mainspring server.

Nothing else knows of this folder: it turns MLflow's requests into our operations, and our answers and
errors into MLflow's. `dispatch` says which function answers which route; `door` is the ASGI
application that the server puts in front of its own API.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

_FRAME = frozenset({"__init__", "dispatch", "door", "failure"})
ROOMS = tuple(
    import_module(f"{__name__}.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if path.stem not in _FRAME
)
"""The modules with the handlers, all of this folder's but the frame."""
