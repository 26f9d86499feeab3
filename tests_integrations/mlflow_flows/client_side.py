"""The client's side as the flows find it: told where the server is, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

URL = os.environ["FLOW_URL"]
REQUIREMENTS = ["scikit-learn"]
"""Given with a model, so that MLflow need not start a process to find them out."""


@pytest.fixture(scope="session", autouse=True)
def _told() -> None:
    mlflow.set_tracking_uri(URL)


@pytest.fixture
def client() -> mlflow.MlflowClient:
    """The client below the fluent API."""
    return mlflow.MlflowClient()


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """A fresh experiment named like the test, where its runs go; answers its id."""
    return str(mlflow.set_experiment(request.node.name).experiment_id)


@pytest.fixture(scope="session")
def iris() -> pd.DataFrame:
    """The iris flowers, with the column `target`."""
    return load_iris(as_frame=True).frame


@pytest.fixture(scope="session")
def flowers(iris: pd.DataFrame) -> pd.DataFrame:
    """What is known of each flower."""
    return iris.drop(columns="target")


@pytest.fixture(scope="session")
def classifier(iris: pd.DataFrame, flowers: pd.DataFrame) -> LogisticRegression:
    """A fitted model."""
    return LogisticRegression(max_iter=200).fit(flowers, iris["target"])


@contextmanager
def refused(code: str, words: str | None = None) -> Iterator[pytest.ExceptionInfo[Any]]:
    """What is done inside is refused with the code, and says the words."""
    with pytest.raises(MlflowException, match=words) as caught:
        yield caught
    assert caught.value.error_code == code, str(caught.value)
