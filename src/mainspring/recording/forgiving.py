"""A mistake in what is recorded must not end a training: it is said once, and the training goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")


class Warner(Protocol):
    """What can say something once."""

    def say(self, about: str, message: str, *args: object) -> None:
        """Say it, unless something was said about this before."""
        ...


W = TypeVar("W", bound=Warner)


def forgiving(method: Callable[Concatenate[W, P], None]) -> Callable[Concatenate[W, P], None]:
    """A method that records, and warns where it would raise."""

    @functools.wraps(method)
    def call(self: W, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  whatever the script has made of it
            self.say(method.__name__, "%s: not recorded: %r", method.__name__, error)

    return call
