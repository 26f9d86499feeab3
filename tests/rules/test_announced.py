"""The kinds of events that are declared are those that the code announces."""

from __future__ import annotations

from mainspring.core.event import KINDS
from tests.rules.announced import announced


def test_every_declared_kind_is_announced_somewhere() -> None:
    assert KINDS.keys() - announced() == set()


def test_every_announced_kind_is_declared() -> None:
    assert announced() - KINDS.keys() == set()
