"""The rules of runs: pure, so they need no fixtures."""

from __future__ import annotations

from mainspring.tracking.run import files_digest


def test_a_files_digest_does_not_depend_on_their_order() -> None:
    one, two = ("a", "sha256:1", 1), ("b", "sha256:2", 2)

    assert files_digest([one, two]) == files_digest([two, one])


def test_a_files_digest_depends_on_their_names() -> None:
    assert files_digest([("a", "sha256:1", 1)]) != files_digest([("b", "sha256:1", 1)])
