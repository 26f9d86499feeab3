"""scikit-learn's estimators pass the exam of engines: matrices, data frames, registered folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.engines.tensor import DTYPES, Tensors
from mainspring.testing.engine import EngineContract
from tests.engines.estimators import (
    described,
    frame_inputs,
    frame_pipeline,
    made_frame,
    saved,
)

NUMBERS: tuple[Datatype, ...] = tuple(name for name in DTYPES if name not in ("BYTES", "BF16"))


class TestMatrix(EngineContract):
    datatypes = (*NUMBERS, "BYTES")

    def model_of(self, datatype: Datatype, folder: Path) -> LoadedModel:
        """A straight line through numbers; the lengths of texts."""
        numbers = np.arange(400.0).reshape(100, 4)
        features: Any = numbers
        line: Any = LinearRegression()
        if datatype == "BYTES":
            features = np.array([[f"text {number}"] for number in range(100)], dtype=object)
            line = make_pipeline(OrdinalEncoder(), line)
        skops.io.dump(line.fit(features, numbers[:, 0]), folder / "model.skops")
        signature = Signature(
            inputs=(Column(name="x", datatype=datatype, shape=features.shape[1:]),),
            outputs=(Column(name="predict", datatype="FP64"),),
        )
        described(folder, signature, "model.skops")
        return load_model(folder)

    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        data, target = load_iris(return_X_y=True)
        return saved(
            make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)).fit(
                data, target
            ),
            tmp_path,
        )

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {"input": load_iris().data[::7]}

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        data, target = load_iris(return_X_y=True)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)).fit(
            data, target
        )
        rows = inputs["input"]
        return {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)}


class TestDataFrame(EngineContract):
    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        return saved(frame_pipeline(LogisticRegression(C=0.01, max_iter=2000)), tmp_path)

    @pytest.fixture
    def inputs(self) -> Tensors:
        return frame_inputs(made_frame())

    @pytest.fixture
    def expected(self) -> Tensors:
        model, frame = frame_pipeline(LogisticRegression(C=0.01, max_iter=2000)), made_frame()
        return {
            "predict": model.predict(frame).astype(object),
            "predict_proba": model.predict_proba(frame),
        }


class TestRegisteredFolder(EngineContract):
    """A signature as recording makes it: columns of the sample, and one score."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        data, target = load_breast_cancer(return_X_y=True)
        skops.io.dump(
            LogisticRegression(C=0.01, max_iter=2000).fit(data[:, :3], target),
            tmp_path / "model.skops",
        )
        inputs = tuple(Column(name=name, datatype="FP64") for name in "abc")
        outputs = (Column(name="score", datatype="FP64"),)
        described(tmp_path, Signature(inputs=inputs, outputs=outputs), "model.skops")
        return tmp_path

    @pytest.fixture
    def inputs(self) -> Tensors:
        return dict(zip("abc", load_breast_cancer().data[::40, :3].T.copy(), strict=True))

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        data, target = load_breast_cancer(return_X_y=True)
        model = LogisticRegression(C=0.01, max_iter=2000).fit(data[:, :3], target)
        return {"score": model.predict_proba(np.column_stack(list(inputs.values())))[:, 1]}
