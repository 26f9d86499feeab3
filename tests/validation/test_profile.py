"""A profile holds what a reference looks like, whatever its columns are made of."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.validation.profile import (
    DAY_MICROS,
    NO_SPREAD,
    Profile,
    bins_of,
    build_profile,
    from_json,
    psi,
    to_json,
)

RANDOM = np.random.default_rng(0)

STRANGE: dict[str, np.ndarray] = {
    "normal": RANDOM.normal(size=1000),
    "whole": RANDOM.integers(0, 5, 1000),
    "flag": RANDOM.random(1000) < 0.5,
    "constant": np.full(1000, 3.0),
    "mostly one value": np.where(RANDOM.random(1000) < 0.95, 10.0, RANDOM.random(1000)),
    "half missing": np.where(RANDOM.random(1000) < 0.5, np.nan, RANDOM.normal(size=1000)),
    "all missing": np.full(1000, np.nan),
    "letters": np.array(list("abcd"), dtype=object)[RANDOM.integers(0, 4, 1000)],
    "one level": np.full(1000, "a", dtype=object),
    "no level": np.full(1000, None, dtype=object),
    "all different": np.array([f"id{row}" for row in range(1000)], dtype=object),
}


@pytest.fixture(scope="module")
def profile() -> Profile:
    times = np.arange(1000) * DAY_MICROS // 100
    return build_profile(STRANGE, times)


@pytest.mark.parametrize("name", STRANGE)
def test_every_row_has_its_bin(profile: Profile, name: str) -> None:
    column = profile.column(name)

    assert sum(column.counts) == column.n == 1000
    assert column.proportions.sum() == pytest.approx(1)
    assert (column.proportions > 0).all()


@pytest.mark.parametrize("name", STRANGE)
def test_the_reference_itself_is_no_drift(profile: Profile, name: str) -> None:
    column = profile.column(name)
    counts = np.bincount(bins_of(column, STRANGE[name]), minlength=len(column.counts))

    assert psi(column.proportions, counts) == pytest.approx(0, abs=1e-5)


def test_a_profile_survives_json(profile: Profile) -> None:
    assert from_json(to_json(profile)) == profile


def test_deciles_hold_a_tenth_each(profile: Profile) -> None:
    column = profile.column("normal")

    assert column.counts == (0, *[100] * 10, 0, 0)
    assert (column.minimum, column.maximum) == (STRANGE["normal"].min(), STRANGE["normal"].max())
    assert (column.mean, column.sd) == (STRANGE["normal"].mean(), STRANGE["normal"].std())


def test_values_outside_of_the_reference_have_bins_of_their_own(profile: Profile) -> None:
    column = profile.column("constant")

    assert bins_of(column, np.array([2.0, 3.0, 4.0, np.nan])).tolist() == [0, 1, 2, 3]


def test_missing_values_are_counted_apart(profile: Profile) -> None:
    share = np.isnan(STRANGE["half missing"]).mean()

    assert profile.column("half missing").missing_share == share
    assert profile.column("no level").missing_share == 1.0
    assert profile.column("all missing").minimum is None


def test_rare_levels_are_pooled() -> None:
    letters = np.array(["a"] * 980 + ["b"] * 10 + ["c"] * 9 + [None], dtype=object)

    column = build_profile({"letter": letters}).columns[0]

    assert column.levels == ("a", "b")
    assert column.counts == (980, 10, 9, 1)


def test_psi_is_the_textbook_sum_on_large_counts() -> None:
    reference, window = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    textbook = ((window - reference) * np.log(window / reference)).sum()

    assert psi(reference, window * 1e9) == pytest.approx(textbook, abs=1e-8)


def test_days_that_differ_only_by_chance_have_no_spread() -> None:
    random = np.random.default_rng(1)
    days = np.repeat(np.arange(60), 500)

    spread = build_profile({"x": random.normal(size=30_000)}, days * DAY_MICROS).columns[0].spread

    assert spread.periods == 60
    assert spread.mean == pytest.approx(9 / 500, rel=0.15)
    assert spread.between < 0.002


def test_days_that_differ_have_a_spread() -> None:
    random = np.random.default_rng(1)
    days = np.repeat(np.arange(60), 500)
    x = random.normal(size=30_000) + random.normal(size=60)[days]

    spread = build_profile({"x": x}, days * DAY_MICROS).columns[0].spread

    assert spread.between > 0.3
    assert spread.between_sd > 0.1
    assert spread.max > spread.mean > spread.between


def test_a_day_cut_off_by_the_ends_does_not_count() -> None:
    days = np.repeat(np.arange(11), [3, *[100] * 9, 40])

    spread = build_profile({"x": days.astype(float)}, days * DAY_MICROS).columns[0].spread

    assert spread.periods == 9


def test_a_few_days_tell_no_spread() -> None:
    days = np.repeat(np.arange(4), 100)

    assert build_profile({"x": days}, days * DAY_MICROS).columns[0].spread == NO_SPREAD


@pytest.mark.parametrize(
    ("columns", "times", "message"),
    [
        ({"x": np.empty(0)}, None, "'x' has no rows"),
        ({"x": np.array([1.0, np.inf])}, None, "'x' holds infinite values"),
        ({"x": np.ones(3)}, np.ones(2), "'x' has 3 rows, the event times 2"),
    ],
)
def test_what_cannot_be_profiled_is_refused(
    columns: dict[str, np.ndarray], times: np.ndarray | None, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        build_profile(columns, times)


def test_text_in_a_numeric_column_is_refused(profile: Profile) -> None:
    with pytest.raises(Invalid, match="'normal' is numeric in the profile, found object"):
        bins_of(profile.column("normal"), np.array(["a"], dtype=object))


def test_an_unknown_column_is_refused_with_the_known_ones(profile: Profile) -> None:
    with pytest.raises(Invalid, match="no column 'colour', only 'normal', 'whole'"):
        profile.column("colour")


@pytest.mark.parametrize("text", [b"", b"[]", b'{"columns": [], "more": 1}'])
def test_json_that_is_no_profile_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid, match="this is not a profile"):
        from_json(text)
