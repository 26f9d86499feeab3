"""Run with MLflow's Python: saves models of several flavours, and what MLflow predicts with each.

python mlflow_saved.py FOLDER
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.simplefilter("ignore")
ROOT = Path(sys.argv[1])
DATA, TARGET = load_iris(return_X_y=True)
FRAME = pd.DataFrame(DATA, columns=["a", "b", "c", "d"])
KEPT = {"pip_requirements": ["mlflow"]}
"""Without it MLflow starts a process for each model to find out what it needs."""
MIXED = FRAME[["a", "b"]].assign(kind=np.array(["x", "y", "z"])[np.arange(150) % 3])


def predicted(name: str, rows: object) -> None:
    """Keep what MLflow's own loader answers."""
    model = mlflow.pyfunc.load_model(str(ROOT / name))
    found = model.predict(rows)
    if isinstance(found, dict):
        np.savez(ROOT / f"{name}.npz", **found)
    else:
        np.savez(ROOT / f"{name}.npz", predict=np.asarray(found))


def estimators() -> None:
    """Estimators in every format that the flavour writes."""
    names = load_iris().target_names[TARGET]
    forest = RandomForestClassifier(5, random_state=1).fit(DATA, TARGET)
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, names)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), (StandardScaler(), ["a", "b"])
    )
    mixed = make_pipeline(columns, LogisticRegression()).fit(MIXED, TARGET)
    kinds = {"forest": (forest, DATA), "plain": (plain, FRAME), "mixed": (mixed, MIXED)}
    for kind, (model, rows) in kinds.items():
        for form in ("pickle", "cloudpickle", "skops"):
            mlflow.sklearn.save_model(
                model,
                ROOT / f"{kind}-{form}",
                serialization_format=form,
                **KEPT,
                signature=infer_signature(rows, model.predict(rows)),
                **({"skops_trusted_types": ["sklearn.tree._tree.Tree"]} if form == "skops" else {}),
            )
            predicted(f"{kind}-{form}", rows)


def boosters() -> None:
    """LightGBM's own model, and its wrapper in the manner of scikit-learn."""
    booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(DATA, TARGET), num_boost_round=5)
    mlflow.lightgbm.save_model(
        booster, ROOT / "booster", signature=infer_signature(FRAME, booster.predict(DATA)), **KEPT
    )
    predicted("booster", FRAME)
    mlflow.lightgbm.save_model(booster, ROOT / "booster-bare", **KEPT)
    predicted("booster-bare", DATA)
    wrapper = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1).fit(DATA, TARGET)
    mlflow.lightgbm.save_model(wrapper, ROOT / "wrapper", **KEPT)
    predicted("wrapper", DATA)


def graphs() -> None:
    """ONNX, with the weights in the file and beside it."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(DATA, TARGET)
    rows = DATA.astype(np.float32)
    graph = to_onnx(model, rows[:1], options={"zipmap": False})
    mlflow.onnx.save_model(graph, ROOT / "graph", signature=infer_signature({"X": rows}), **KEPT)
    predicted("graph", {"X": rows})
    for name, beside in (("wide", True), ("wide-inside", False)):
        mlflow.onnx.save_model(_wide(), ROOT / name, save_as_external_data=beside, **KEPT)
        predicted(name, {"X": rows})


def _wide() -> object:
    """A graph with weights that are large enough to be kept in another file."""
    weights = np.random.default_rng(1).normal(size=(4, 600)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["X", "W"], ["Y"])
    made = onnx.helper.make_graph(
        [node],
        "wide",
        [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, ["rows", 4])],
        [onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, ["rows", 600])],
        [onnx.numpy_helper.from_array(weights, "W")],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(made, opset_imports=opsets, ir_version=9)


if __name__ == "__main__":
    estimators()
    boosters()
    graphs()
