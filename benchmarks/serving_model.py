"""Train the model that all servers are given. Part of serving.py.

    python -m benchmarks.serving_model FOLDER

Runs where scikit-learn and skl2onnx are. Writes `model.joblib` (StandardScaler and LogisticRegression on
scikit-learn's breast cancer data, 30 columns), `model.onnx` (its conversion, with one input and the
probabilities as a plain tensor) and `table.json`: all rows, and the estimator's probabilities of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Train, convert, write."""
    folder = Path(sys.argv[1])
    data, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, target)
    joblib.dump(model, folder / "model.joblib")
    converted = to_onnx(model, data[:1].astype(np.float32), options={id(model): {"zipmap": False}})
    (folder / "model.onnx").write_bytes(converted.SerializeToString())
    table = {"rows": data.tolist(), "probabilities": model.predict_proba(data).tolist()}
    (folder / "table.json").write_text(json.dumps(table))


if __name__ == "__main__":
    main()
