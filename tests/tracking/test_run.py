"""The rules of runs: pure, so they need no fixtures."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as some

from mainspring.tracking.run import Summary, files_digest, summarise

VALUES = some.lists(some.floats(), min_size=1, max_size=20)


def fold(*values: float) -> Summary:
    return summarise(list(enumerate(values)))


def test_a_summary_folds_all_points() -> None:
    assert fold(3.0, 1.0, 2.0) == Summary(3, 3.0, 2.0, 1.0, 3.0, 2)


def test_not_a_number_counts_but_is_neither_least_nor_greatest() -> None:
    summary = fold(math.nan, 2.0, math.nan)

    assert (summary.count, summary.minimum, summary.maximum) == (3, 2.0, 2.0)
    assert math.isnan(summary.last)


def test_infinities_are_values() -> None:
    summary = fold(math.inf, 0.0, -math.inf)

    assert (summary.minimum, summary.maximum) == (-math.inf, math.inf)


def test_a_late_point_of_an_earlier_step_is_not_the_last() -> None:
    summary = summarise([(3, 0.3)], fold(0.0, 0.1, 0.2, 0.2, 0.5))

    assert (summary.last, summary.last_step, summary.count) == (0.5, 4, 6)


@given(VALUES, VALUES)
def test_folding_in_two_goes_is_folding_at_once(first: list[float], second: list[float]) -> None:
    points = list(enumerate([*first, *second]))

    at_once = summarise(points)
    in_two = summarise(points[len(first) :], summarise(points[: len(first)]))

    assert repr(in_two) == repr(at_once)


def test_a_files_digest_does_not_depend_on_their_order() -> None:
    one, two = ("a", "sha256:1", 1), ("b", "sha256:2", 2)

    assert files_digest([one, two]) == files_digest([two, one])


def test_a_files_digest_depends_on_their_names() -> None:
    assert files_digest([("a", "sha256:1", 1)]) != files_digest([("b", "sha256:1", 1)])
