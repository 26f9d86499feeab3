"""LightGBM through its C library gives what its Python package gives."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines import lightgbm as engine
from mainspring.engines.encoding import encode
from mainspring.engines.engine import load_model
from mainspring.engines.tensor import Array, Tensors
from mainspring.testing.engine import EngineContract

SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Trained:
    signature: Signature
    inputs: Tensors
    booster: lightgbm.Booster

    @property
    def expected(self) -> Array:
        matrix = encode(self.signature, self.inputs)
        return np.asarray(self.booster.predict(matrix, num_threads=1))


def _floats(count: int) -> tuple[Column, ...]:
    return tuple(Column(name=f"x{index}", datatype="FP64") for index in range(count))


def _scores(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, datatype="FP64") for name in names)


@pytest.fixture(scope="module")
def binary() -> Trained:
    """Numbers, a float with gaps, a whole number, a flag and a category with gaps."""
    data, target = load_breast_cancer(return_X_y=True)
    gaps = data[:, 0].copy()
    gaps[::5] = np.nan
    sizes = np.digitize(data[:, 2], np.quantile(data[:, 2], [0.3, 0.7]))
    size = np.array([SIZES[level] for level in sizes], dtype=object)
    size[::7] = None
    signature = Signature(
        inputs=(
            Column(name="radius", datatype="FP64", nullable=True),
            Column(name="size", datatype="BYTES", nullable=True, categories=SIZES),
            Column(name="texture", datatype="FP32"),
            Column(name="area", datatype="INT64"),
            Column(name="smooth", datatype="BOOL"),
        ),
        outputs=_scores("score"),
    )
    inputs: Tensors = {
        "radius": gaps,
        "size": size,
        "texture": data[:, 1].astype(np.float32),
        "area": data[:, 3].astype(np.int64),
        "smooth": data[:, 4] < 0.1,
    }
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1, "cat_smooth": 1},
        lightgbm.Dataset(encode(signature, inputs), target, categorical_feature=[1]),
        num_boost_round=20,
    )
    return Trained(signature, inputs, booster)


@pytest.fixture
def binary_folder(binary: Trained, tmp_path: Path) -> Path:
    engine.save(binary.booster.model_to_string(), tmp_path, binary.signature)
    return tmp_path


class TestLightGBM(EngineContract):
    @pytest.fixture
    def folder(self, binary_folder: Path) -> Path:
        return binary_folder

    @pytest.fixture
    def inputs(self, binary: Trained) -> Tensors:
        return {name: values[:20] for name, values in binary.inputs.items()}

    @pytest.fixture
    def expected(self, binary: Trained) -> Tensors:
        return {"score": binary.expected[:20]}


def test_a_binary_model_answers_exactly_as_the_package(
    binary: Trained, binary_folder: Path
) -> None:
    found = load_model(binary_folder).predict(binary.inputs)

    np.testing.assert_array_equal(found["score"], binary.expected)


def test_one_row_answers_exactly_as_the_package(binary: Trained, binary_folder: Path) -> None:
    row = {name: values[:1] for name, values in binary.inputs.items()}

    assert load_model(binary_folder).predict(row)["score"].tolist() == [binary.expected[0]]


def test_an_unseen_category_counts_as_missing(binary: Trained, binary_folder: Path) -> None:
    model = load_model(binary_folder)
    row = {name: values[:1] for name, values in binary.inputs.items()}
    unseen = row | {"size": np.array(["enormous"], dtype=object)}
    missing = row | {"size": np.array([None], dtype=object)}

    assert model.predict(unseen)["score"] == model.predict(missing)["score"]


def test_a_multiclass_model_gives_a_column_for_each_class(tmp_path: Path) -> None:
    data, target = load_wine(return_X_y=True)
    signature = Signature(inputs=_floats(data.shape[1]), outputs=_scores("a", "b", "c"))
    parameters = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(data, target), num_boost_round=5)
    engine.save(booster.model_to_string(), tmp_path, signature)

    found = load_model(tmp_path).predict({f"x{i}": data[:, i] for i in range(data.shape[1])})

    np.testing.assert_array_equal(
        np.column_stack([found[name] for name in "abc"]), booster.predict(data, num_threads=1)
    )


def test_a_regression_answers_exactly_as_the_package(tmp_path: Path) -> None:
    data, target = load_diabetes(return_X_y=True)
    signature = Signature(inputs=_floats(data.shape[1]), outputs=_scores("progression"))
    parameters = {"objective": "regression", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(data, target), num_boost_round=5)
    engine.save(booster.model_to_string(), tmp_path, signature)

    found = load_model(tmp_path).predict({f"x{i}": data[:, i] for i in range(data.shape[1])})

    np.testing.assert_array_equal(found["progression"], booster.predict(data, num_threads=1))


def test_a_signature_with_too_few_inputs_is_refused(binary: Trained, tmp_path: Path) -> None:
    signature = Signature(inputs=binary.signature.inputs[:4], outputs=binary.signature.outputs)

    with pytest.raises(Invalid, match="takes 5 columns, its signature has 4"):
        engine.save(binary.booster.model_to_string(), tmp_path, signature)


def test_a_signature_with_too_many_outputs_is_refused(binary: Trained, tmp_path: Path) -> None:
    signature = Signature(inputs=binary.signature.inputs, outputs=_scores("a", "b"))

    with pytest.raises(Invalid, match="gives 1 columns, its signature has 2"):
        engine.save(binary.booster.model_to_string(), tmp_path, signature)


def test_a_text_that_is_no_model_is_refused(binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no LightGBM model"):
        engine.save("hello", tmp_path, binary.signature)


def test_the_python_package_is_not_imported(binary_folder: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path;"
        "from mainspring.engines.engine import load_model;"
        "load_model(Path(sys.argv[1]));"
        "print(json.dumps([n for n in ('lightgbm', 'pandas', 'scipy') if n in sys.modules]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(binary_folder)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert json.loads(done.stdout) == []
