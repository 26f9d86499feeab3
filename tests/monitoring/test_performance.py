"""Realised performance is told with its interval, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.monitoring.performance import realised
from mainspring.validation.statistics import auc_estimate


def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    label = (random.random(n) < 0.3).astype(float)
    return label, np.clip(random.beta(2, 4, n) + 0.2 * label, 0, 1)


def test_a_window_has_its_estimates() -> None:
    label, score = rows(500)

    window = realised(label, score, "binary")

    assert list(window.estimates) == ["auc", "log_loss", "brier"]
    assert window.estimates["auc"] == auc_estimate(label, score)
    assert (window.positives, window.label_mean, window.score_mean) == (
        label.sum(),
        label.mean(),
        score.mean(),
    )


def test_labels_still_to_come_lower_the_coverage() -> None:
    label, score = rows(500)
    label[400:] = np.nan

    window = realised(label, score, "binary")

    assert (window.predictions, window.labelled, window.coverage) == (500, 400, 0.8)
    assert window.estimates["auc"].n == 400


def test_too_few_labels_are_not_enough_data() -> None:
    label, score = rows(500)
    label[60:] = np.nan

    window = realised(label, score, "binary")

    assert window.estimates == {}
    assert window.lack == "not enough data: 60 labels, wanted at least 100"


def test_one_class_alone_is_not_enough_data() -> None:
    _, score = rows(500)

    window = realised(np.zeros(500), score, "binary")

    assert window.lack is not None
    assert "0 positive and 500 negative labels" in window.lack


def test_a_window_without_predictions_covers_nothing() -> None:
    window = realised(np.empty(0), np.empty(0), "binary")

    assert (window.coverage, window.label_mean, window.estimates) == (0.0, None, {})


def test_a_regression_has_errors() -> None:
    window = realised(np.arange(200.0), np.arange(200.0) + 3, "regression")

    assert window.positives is None
    assert window.estimates["rmse"].value == pytest.approx(3)
    assert window.estimates["mae"].value == pytest.approx(3)


def test_labels_that_match_no_predictions_are_refused() -> None:
    with pytest.raises(Invalid, match="found 3 labels for 2 predictions"):
        realised(np.zeros(3), np.zeros(2), "binary")
