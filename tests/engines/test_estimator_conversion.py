"""scikit-learn's estimators as ONNX answer as they do themselves, by the names of the signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mainspring.core.signature import Column
from mainspring.engines.conversion import convert
from mainspring.engines.engine import ModelDescription, load_model, write_description
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.parity import judge
from mainspring.engines.table import Budget, Parity, Precision
from mainspring.engines.tensor import Tensors
from tests.engines.fitted_models import SCORE, far_from_zero, matrix, saved

NAMES = ("c0", "c1", "c2", "kind")
TYPED = tuple(
    Column(name=name, datatype="BYTES", categories=("a", "b", "c"))
    if name == "kind"
    else Column(name=name, datatype="FP64")
    for name in NAMES
)


def held(folder: Path, rows: Tensors, precision: Precision = "FP32") -> Parity:
    """How far the conversion is from the estimator."""
    conversion = convert(folder, precision, allow_code=True)
    assert conversion.model is not None, conversion.reason
    native = load_model(folder, allow_code=True)
    onnx = ONNXEngine(conversion.model, native.signature)
    return judge(native.predict(rows), onnx.predict(rows), Budget())


def frame() -> pd.DataFrame:
    data, _ = matrix()
    found = pd.DataFrame(data[:, :3], columns=list(NAMES[:3]))
    return found.assign(kind=np.array(["a", "b", "c"])[np.digitize(data[:, 4], [0.08, 0.1])])


def columns(found: pd.DataFrame) -> Tensors:
    return {
        str(name): found[name].to_numpy().astype(object if name == "kind" else np.float64)
        for name in found
    }


def prepared(final: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", numbers, ["c0", "c1"]),
                ("text", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
            ],
            remainder="passthrough",
        ),
        final,
    )


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), SVC()),
        RandomForestClassifier(10, random_state=0),
        GradientBoostingClassifier(n_estimators=10, random_state=0),
        HistGradientBoostingClassifier(max_iter=10),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("classes", [(0, 1), ("no", "yes")], ids=["numbers", "text"])
def test_classifiers_of_a_matrix(
    estimator: Any, classes: tuple[object, object], tmp_path: Path
) -> None:
    data, flag = matrix()
    signature = saved(estimator.fit(data, np.array(classes)[flag]), tmp_path)

    parity = held(tmp_path, {"input": data})

    assert parity.within, parity.reasons
    assert signature.outputs[0].name == "predict"


@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(),
        RandomForestRegressor(10, random_state=0),
        GradientBoostingRegressor(n_estimators=10, random_state=0),
        HistGradientBoostingRegressor(max_iter=10),
    ],
    ids=lambda one: type(one).__name__,
)
def test_regressors_of_a_matrix(estimator: Any, tmp_path: Path) -> None:
    data, _ = matrix()
    saved(estimator.fit(data[:, 1:], data[:, 0]), tmp_path)

    parity = held(tmp_path, {"input": data[:, 1:]})

    assert parity.within, parity.reasons


def test_several_targets(tmp_path: Path) -> None:
    data, _ = matrix()
    saved(Ridge().fit(data[:, 2:], data[:, :2]), tmp_path)

    assert held(tmp_path, {"input": data[:, 2:]}).within


def test_one_score_of_a_binary_classifier(tmp_path: Path) -> None:
    data, flag = matrix()
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, flag)
    saved(estimator, tmp_path, outputs=SCORE)

    assert held(tmp_path, {"input": data}).within


@pytest.mark.parametrize("name", ["label", "probabilities", "variable", "matrix", "X"])
def test_a_column_may_be_called_as_the_converter_calls_its_own(name: str, tmp_path: Path) -> None:
    data, flag = matrix()
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, flag)
    saved(estimator, tmp_path, outputs=(Column(name=name, datatype="FP64"),))

    assert held(tmp_path, {"input": data}).within


def test_a_column_for_each_class(tmp_path: Path) -> None:
    data, flag = matrix()
    outputs = (Column(name="no", datatype="FP64"), Column(name="yes", datatype="FP32"))
    saved(RandomForestClassifier(10, random_state=0).fit(data, flag), tmp_path, outputs=outputs)

    assert held(tmp_path, {"input": data}).within


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), GradientBoostingClassifier(n_estimators=10, random_state=0)],
    ids=lambda one: type(one).__name__,
)
def test_columns_of_a_frame_are_inputs_of_their_own(estimator: Any, tmp_path: Path) -> None:
    data, (_, flag) = frame(), matrix()
    saved(prepared(estimator).fit(data, flag), tmp_path, inputs=TYPED)

    parity = held(tmp_path, columns(data))

    assert parity.within, parity.reasons


def test_a_frame_of_numbers_in_another_order_than_the_signature(tmp_path: Path) -> None:
    data, (_, flag) = frame()[["c0", "c1", "c2"]], matrix()
    inputs = tuple(Column(name=name, datatype="FP64") for name in ("c2", "c0", "c1"))
    saved(RandomForestClassifier(10, random_state=0).fit(data, flag), tmp_path, inputs=inputs)

    assert held(tmp_path, columns(data)).within


def test_text_that_may_be_missing_is_said_to_be_inexpressible(tmp_path: Path) -> None:
    data, (_, flag) = frame(), matrix()
    signature = saved(prepared(LogisticRegression()).fit(data, flag), tmp_path)
    assert signature.inputs[-1].nullable

    with pytest.raises(Exception, match="nullable text, which ONNX cannot express"):
        held(tmp_path, columns(data))


def test_a_function_of_ones_own_has_a_reason(tmp_path: Path) -> None:
    data, flag = matrix()
    estimator = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=5000))
    saved(estimator.fit(data, flag), tmp_path)

    found = convert(tmp_path, "FP32", allow_code=True)

    assert found.model is None
    assert found.reason.startswith("it cannot be converted: ")
    assert "\n" not in found.reason


def test_double_precision_keeps_what_single_loses(tmp_path: Path) -> None:
    data, flag = far_from_zero()
    forest = RandomForestClassifier(11, random_state=0)
    saved(make_pipeline(StandardScaler(), forest).fit(data, flag), tmp_path)

    assert not held(tmp_path, {"input": data}, "FP32").within
    assert held(tmp_path, {"input": data}, "FP64").within


def test_a_pickle_is_not_read_unless_that_is_allowed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    joblib.dump(Trap(), tmp_path / "model.joblib")
    signature = saved(Ridge().fit(np.eye(2), [0.0, 1.0]), tmp_path)
    description = ModelDescription(
        engine="scikit-learn", signature=signature, files=("model.joblib",)
    )
    write_description(tmp_path, description)

    found = convert(tmp_path, "FP32")

    assert found.model is None
    assert "may hold code" in found.reason
    assert not (tmp_path / "sprung").exists()
