"""scikit-learn passes the exam of frameworks; what it records in detail is tried among the integrations."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.adapters.frameworks.scikit_learn import ScikitLearn
from mainspring.testing.framework import Expected, FrameworkContract

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parent / "scripts"


class TestScikitLearn(FrameworkContract):
    framework = ScikitLearn()
    script = SCRIPTS / "scikit_learn_search.py"
    expected = Expected(
        params={
            "cv",
            "estimator__gradientboostingclassifier__n_estimators",
            "best.gradientboostingclassifier__learning_rate",
        },
        metrics={
            "accuracy_score",
            "best_score",
            "f1_score_macro",
            "roc_auc_score",
            "score",
            "training/accuracy",
            "training/log_loss",
        },
        series={"train_score": 20},
        rows=426,
        children=2,
    )
