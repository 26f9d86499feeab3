"""LightGBM passes the exam of frameworks; what it records in detail is tried among the integrations."""

from __future__ import annotations

import pytest

from mainspring.adapters.frameworks.lightgbm import LightGBM
from mainspring.testing.framework import Expected, FrameworkContract
from tests.frameworks.bench import SCRIPTS

pytestmark = pytest.mark.slow


class TestLightGBM(FrameworkContract):
    framework = LightGBM()
    script = SCRIPTS / "lightgbm_breast_cancer.py"
    expected = Expected(
        params={"objective", "learning_rate", "num_boost_round", "seed"},
        metrics={"best_iteration", "best/holdout/binary_logloss", "iterations", "training/seconds"},
        series={"holdout/binary_logloss": 30, "train/binary_logloss": 30},
        rows=426,
    )
