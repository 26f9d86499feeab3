"""Small files of the log become larger ones, and old ones go."""

from __future__ import annotations

from pathlib import Path

from mainspring.serving.compaction import seal_journals
from mainspring.serving.merging import remove_older
from mainspring.serving.replacing import only_one

from .logged import DAY, floats, found, frame, journal, merge, parts_in, sealed_one_by_one


def test_files_of_a_day_that_is_over_become_one(tmp_path: Path) -> None:
    first, second = sealed_one_by_one(tmp_path, 3), sealed_one_by_one(tmp_path, 2, day=1)

    assert len(merge(tmp_path)) == 2

    assert len(parts_in(tmp_path)) == 2
    assert found(tmp_path) == [*first, *second]
    assert found(tmp_path, DAY, 2 * DAY) == second
    assert merge(tmp_path) == []


def test_files_of_today_wait_until_they_are_many(tmp_path: Path) -> None:
    ids = sealed_one_by_one(tmp_path, 7)
    assert merge(tmp_path, now_us=DAY // 2) == []

    ids += [f"x{number}" for number in range(1)]
    journal(tmp_path, "x-000001.journal", frame("x0", at=99))
    seal_journals(tmp_path)

    (made,) = merge(tmp_path, now_us=DAY // 2)
    assert parts_in(tmp_path) == [made]
    assert found(tmp_path) == ids


def test_merged_files_stay_below_their_size(tmp_path: Path) -> None:
    ids = sealed_one_by_one(tmp_path, 6)
    size = max(path.stat().st_size for path in parts_in(tmp_path))

    merge(tmp_path, target=2 * size + 10)

    assert len(parts_in(tmp_path)) == 3
    assert found(tmp_path) == ids


def test_other_columns_are_not_merged(tmp_path: Path) -> None:
    sealed_one_by_one(tmp_path, 2)
    other = frame("z", at=5)
    other.inputs["y"] = floats(1)
    journal(tmp_path, "z-000001.journal", other)
    seal_journals(tmp_path)

    merge(tmp_path)

    assert len(parts_in(tmp_path)) == 2
    assert found(tmp_path) == ["0-000", "0-001", "z"]


def test_retention_goes_by_when_rows_were_recorded(tmp_path: Path) -> None:
    """Rows may tell of days long past, as when history is played again."""
    journal(tmp_path, "a-000001.journal", frame("old", at=50 * DAY, recorded=10 * DAY))
    journal(tmp_path, "b-000001.journal", frame("new", at=2 * DAY, recorded=20 * DAY))
    seal_journals(tmp_path)

    with only_one(tmp_path):
        assert len(remove_older(tmp_path, 15 * DAY)) == 1

    assert found(tmp_path) == ["new"]


def test_merging_does_not_make_rows_young_again(tmp_path: Path) -> None:
    for recorded in (10, 10, 30):
        name = f"{recorded}{len(parts_in(tmp_path))}"
        journal(tmp_path, f"w{name}-1.journal", frame(name, recorded=recorded * DAY))
        seal_journals(tmp_path)

    assert len(merge(tmp_path)) == 1
    with only_one(tmp_path):
        remove_older(tmp_path, 20 * DAY)

    assert found(tmp_path) == ["302"]
