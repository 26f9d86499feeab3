"""What the stages above have to say, and to do, when a person is erased."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

Object = Callable[[Connection, str], list[str]]
Forget = Callable[[Connection, str, str], dict[str, int]]
OBJECTIONS: list[Object] = []
FORGETTING: list[Forget] = []


def objects(function: Object) -> Object:
    """Ask the function, with the connection and the name, why the person cannot be erased yet."""
    OBJECTIONS.append(function)
    return function


def forgets(function: Forget) -> Forget:
    """Let the function erase what is a person's though it is not their name, while that still stands.

    It is given the connection, the name and the one to come, and counts the rows of each column.
    """
    FORGETTING.append(function)
    return function
