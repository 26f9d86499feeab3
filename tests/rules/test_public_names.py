"""The public surface is a list that somebody chose."""

from __future__ import annotations

import mainspring


def test_every_public_name_is_listed_and_sorted() -> None:
    assert mainspring.__dir__() == sorted(mainspring.__all__)


def test_every_public_class_is_there() -> None:
    names = [name for name in mainspring.__all__ if name[0].isupper()]

    assert [name for name in names if not isinstance(getattr(mainspring, name), type)] == []
