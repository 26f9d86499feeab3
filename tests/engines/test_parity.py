"""A conversion is used only if it stays within a budget; what cannot be judged does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mainspring.engines.parity import judge
from mainspring.engines.table import Budget, Parity
from mainspring.engines.tensor import Array, Tensors

ROWS = 1000
BUDGET = Budget(eps=1e-5, over=0.005, flips=0.001, metric=0.001, rows=200)
SCORES = np.linspace(0.1, 0.9, ROWS)


def judged(found: Array, native: Array = SCORES, **more: object) -> Parity:
    return judge({"score": native}, {"score": found}, BUDGET, task="binary", **more)  # type: ignore[arg-type]


def moved(rows: int, by: float) -> Array:
    scores = SCORES.copy()
    scores[:rows] += by
    return scores


def test_the_same_answers_are_within_it() -> None:
    found = judged(SCORES.copy())

    assert found == Parity(
        within=True, rows=ROWS, largest=0.0, over=0.0, flips=0.0, metric_delta=None
    )


def test_a_few_rows_may_be_far_off() -> None:
    found = judged(moved(5, 0.05))

    assert (found.within, found.over, found.flips) == (True, 0.005, 0.0)
    assert found.largest == pytest.approx(0.05)


def test_more_rows_than_the_share_may_not() -> None:
    found = judged(moved(6, 0.05))

    assert not found.within
    assert found.reasons == ("0.60% of the rows differ by more than 1e-05; 0.50% may",)


def test_what_is_closer_than_eps_is_no_difference() -> None:
    assert judged(SCORES + 9e-6).over == 0.0


def test_large_numbers_are_compared_relatively() -> None:
    prices = np.linspace(1e6, 2e6, ROWS)

    assert judge({"price": prices}, {"price": prices + 1.0}, BUDGET).within
    assert not judge({"price": prices}, {"price": prices + 100.0}, BUDGET).within


def test_flipped_labels_are_counted_though_the_scores_are_near() -> None:
    native, found = SCORES.copy(), SCORES.copy()
    native[:2], found[:2] = 0.5 - 1e-9, 0.5 + 1e-9

    parity = judged(found, native)

    assert (parity.over, parity.flips) == (0.0, 0.002)
    assert parity.reasons == ("0.20% of the rows get another label; 0.10% may",)


def test_of_several_classes_the_largest_score_is_the_label() -> None:
    native: Tensors = {"a": np.full(ROWS, 0.5), "b": np.full(ROWS, 0.49999999), "c": np.zeros(ROWS)}
    found = native | {"b": np.full(ROWS, 0.50000001)}

    assert judge(native, found, BUDGET, task="multiclass").flips == 1.0
    assert judge(native, found, BUDGET, task="").flips == 0.0


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["yes", "no"] * (ROWS // 2), dtype=object),
        np.arange(ROWS),
        np.array([True, False] * (ROWS // 2)),
    ],
)
def test_outputs_that_are_labels_flip_where_they_differ(labels: Array) -> None:
    other = labels.copy()
    other[:2] = labels[1::-1]

    parity = judge({"label": labels}, {"label": other}, BUDGET)

    assert (parity.within, parity.flips, parity.largest) == (False, 0.002, 0.0)


def test_a_worse_error_on_known_labels_is_beyond_it() -> None:
    labels = (np.arange(ROWS) % 2).astype(float)
    native = np.where(labels == 1, 0.99, 0.01)
    found = native.copy()
    found[0] = 0.4

    parity = judged(found, native, labels=labels)

    # The native Brier score is 0.01 ** 2; one row of 1,000 has an error of 0.4 instead of 0.01.
    assert parity.metric_delta == pytest.approx((0.16 - 0.0001) / ROWS / 0.0001)
    assert parity.reasons == ("the error on known labels changes by 159.90%; 0.10% may",)


def test_labels_that_are_missing_are_left_out() -> None:
    labels = np.where(np.arange(ROWS) % 2, 1.0, np.nan)

    assert judged(SCORES.copy(), labels=labels).metric_delta == 0.0


def test_wrong_labels_are_counted_where_the_output_is_one() -> None:
    truth = np.array(["a", "b"] * (ROWS // 2), dtype=object)
    found = truth.copy()
    found[0] = "b"

    parity = judge({"label": truth}, {"label": found}, BUDGET, task="multiclass", labels=truth)

    assert parity.metric_delta == pytest.approx(0.001)


def test_a_missing_number_on_one_side_is_beyond_it() -> None:
    found = SCORES.copy()
    found[0] = math.nan

    parity = judged(found)

    assert not parity.within
    assert "1 rows have no number on one side alone" in parity.reasons


def test_a_missing_number_on_both_sides_and_the_same_infinity_are_no_difference() -> None:
    scores = SCORES.copy()
    scores[0], scores[1] = math.nan, math.inf

    assert judged(scores.copy(), scores).within


def test_an_infinity_on_one_side_is_a_difference() -> None:
    found = SCORES.copy()
    found[:10] = math.inf

    parity = judged(found)

    assert (parity.within, parity.over, parity.largest) == (False, 0.01, 0.0)


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_too_few_rows_prove_nothing(rows: int) -> None:
    parity = judged(SCORES[:rows].copy(), SCORES[:rows])

    assert not parity.within
    assert f"{rows} rows prove nothing; 200 are wanted" in parity.reasons


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"other": SCORES}, "it answers other instead of score"),
        ({"score": SCORES[:10]}, "'score' has the shape [10] instead of [1000]"),
        ({"score": SCORES.astype(np.float32)}, "'score' holds float32 instead of float64"),
        ({"score": SCORES.astype(np.int64)}, "'score' holds int64 instead of float64"),
    ],
)
def test_answers_of_another_kind_are_not_compared(found: Tensors, reason: str) -> None:
    parity = judge({"score": SCORES}, found, BUDGET)

    assert (parity.within, parity.reasons) == (False, (reason,))
