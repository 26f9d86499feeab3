"""scikit-learn's estimators as model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mainspring.core.signature import Column, Signature
from mainspring.engines.engine import ModelDescription, write_description
from mainspring.engines.scikit_learn import ScikitLearnEngine
from mainspring.engines.tensor import Array, Tensors

SCORE = (Column(name="score", datatype="FP64"),)


def saved(
    estimator: Any,
    folder: Path,
    inputs: tuple[Column, ...] = (),
    outputs: tuple[Column, ...] = (),
) -> Signature:
    """Save a fitted estimator with a signature, what is not given being read off it."""
    skops.io.dump(estimator, folder / "model.skops")
    found = ScikitLearnEngine(estimator).signature
    signature = Signature(inputs=inputs or found.inputs, outputs=outputs or found.outputs)
    description = ModelDescription(
        engine="scikit-learn", signature=signature, files=("model.skops",)
    )
    write_description(folder, description)
    return signature


def matrix() -> tuple[Array, Array]:
    """569 rows of 30 numbers, and a flag."""
    data, flag = load_breast_cancer(return_X_y=True)
    return data, flag


def tied(folder: Path) -> Tensors:
    """A forest that half of its trees would have say no and half yes, for one row in eight.

    It adds up doubles in the order of its trees; ONNX Runtime adds up single precision: which of two
    equal classes is the larger one is chance, and chance falls differently.
    """
    dice = np.random.default_rng(0)
    place = np.arange(2000) % 40
    data = np.column_stack([place, place * 7 % 13, dice.integers(0, 5, 2000)]).astype(float)
    forest = ExtraTreesClassifier(30, random_state=0)
    saved(make_pipeline(StandardScaler(), forest).fit(data, dice.integers(0, 2, 2000)), folder)
    return {"input": data}


def far_from_zero() -> tuple[Array, Array]:
    """Numbers of which single precision keeps a few digits of what tells them apart."""
    dice = np.random.default_rng(0)
    return 1e3 + dice.random((2000, 3)) * 1e-3, dice.integers(0, 2, 2000)
