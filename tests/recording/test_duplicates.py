"""A run that was tried before is recognised: by configuration, code and data, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recording.scripts import Place

pytestmark = pytest.mark.slow

SCRIPT = """
    import sys
    import mainspring as ms

    rate, rows, policy = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sys.argv[1:] = []
    with ms.run("try", config={"rate": rate}, on_duplicate=policy) as run:
        run.log_dataset({"x": list(range(rows))}, name="rows")
        if run.reused:
            print("reused", run.tried.name)
        else:
            run.log({"loss": rate})
            print("trained")
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home in which the script ran once."""
    place = Place(tmp_path)
    ended = place.ran(SCRIPT, "0.1", "10", "warn")
    assert (ended.printed, ended.errors) == ("trained\n", "")
    return place


def test_the_same_again_is_said_and_tagged(place: Place) -> None:
    (first,) = place.runs()

    again = place.ran(SCRIPT, "0.1", "10", "warn")

    assert again.printed == "trained\n"
    assert f"run {first['id'][:8]} (try)" in again.errors
    assert "had the same configuration, code and data" in again.errors
    assert f"mainspring runs show {first['id'][:8]}" in again.errors
    assert again.errors.count("\n") == 1
    assert place.runs()[0]["tags"] == {"duplicate_of": first["id"]}


@pytest.mark.parametrize(
    ("rate", "rows", "text"),
    [
        ("0.2", "10", SCRIPT),
        ("0.1", "11", SCRIPT),
        ("0.1", "10", SCRIPT.replace('print("trained")', 'print("trained", "anew")')),
    ],
    ids=["configuration", "data", "code"],
)
def test_what_differs_is_new(place: Place, rate: str, rows: str, text: str) -> None:
    other = place.ran(text, rate, rows, "stop")

    assert other.code == 0
    assert other.printed.startswith("trained")
    assert other.errors == ""


def test_reuse_names_the_run_to_make_do_with(place: Place) -> None:
    again = place.ran(SCRIPT, "0.1", "10", "reuse")

    assert (again.code, again.printed) == (0, "reused try\n")
    assert place.runs()[0]["status"] == "killed"


def test_stop_ends_it_before_it_trains(place: Place) -> None:
    again = place.ran(SCRIPT, "0.1", "10", "stop")

    assert (again.code, again.printed) == (1, "")
    assert "AlreadyTried" in again.errors
    assert place.runs()[0]["status"] == "failed"


def test_the_policy_may_be_the_environments(place: Place) -> None:
    text = SCRIPT.replace(", on_duplicate=policy", "")
    place.ran(text, "0.1", "10", "-")

    again = place.ran(text, "0.1", "10", "-", MAINSPRING_ON_DUPLICATE="stop")

    assert "AlreadyTried" in again.errors


def test_a_run_that_did_not_finish_was_not_tried(tmp_path: Path) -> None:
    place = Place(tmp_path)
    text = SCRIPT.replace('print("trained")', 'sys.exit("out of memory")')
    place.ran(text, "0.1", "10", "warn")

    again = place.ran(text, "0.1", "10", "stop")

    assert "AlreadyTried" not in again.errors


def test_an_unknown_policy_is_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    place = Place(tmp_path)

    ended = place.ran(SCRIPT, "0.1", "10", "ignore")

    assert "on_duplicate is 'ignore', wanted one of warn, reuse, stop" in ended.errors
    assert ended.code == 1
