"""What a workspace holds from its first moment: the stages above say what, and it is made here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from sqlalchemy import Connection

Furnish = Callable[[Connection, int, dt.datetime], None]
FURNISHINGS: list[Furnish] = []


def furnishes(function: Furnish) -> Furnish:
    """Call the function with each new workspace's connection, key and first moment."""
    FURNISHINGS.append(function)
    return function


def furnish(connection: Connection, workspace: int, now: dt.datetime) -> None:
    """Make what a new workspace holds."""
    for function in FURNISHINGS:
        function(connection, workspace, now)
