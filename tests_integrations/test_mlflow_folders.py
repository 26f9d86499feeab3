"""Folders that a real MLflow saved are served without it, and answer as MLflow's own loader does."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mainspring.core.errors import Invalid
from mainspring.engines.engine import LoadedModel
from mainspring.engines.source import load_source
from mainspring.engines.tensor import DTYPES, Array, Tensors
from tests_integrations.mlflow_environment import ROOT, mlflow_python

pytestmark = pytest.mark.timeout(900)  # the environment is made within the first test
DATA = np.asarray(load_iris().data)
COLUMNS: Tensors = dict(zip("abcd", DATA.T, strict=True))
KIND = np.array(["x", "y", "z"], dtype=object)[np.arange(len(DATA)) % 3]
ESTIMATORS = [
    f"{kind}-{form}"
    for kind in ("forest", "plain", "mixed")
    for form in ("pickle", "cloudpickle", "skops")
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each model, with what MLflow predicts beside it."""
    folder = tmp_path_factory.mktemp("saved")
    script = ROOT / "tests_integrations" / "mlflow_saved.py"
    done = subprocess.run(
        [str(mlflow_python()), str(script), str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _inputs(model: LoadedModel) -> Tensors:
    """Iris as the model takes it: by column, or as one matrix."""
    (first, *_) = columns = model.signature.inputs
    if first.shape:
        return {first.name: DATA.astype(DTYPES[first.datatype])}
    known = COLUMNS | {"kind": KIND}
    return {column.name: known[column.name] for column in columns}


def _expected(saved: Path, name: str) -> dict[str, Array]:
    with np.load(saved / f"{name}.npz", allow_pickle=True) as kept:
        return dict(kept)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_answer_as_mlflow_does(saved: Path, name: str) -> None:
    model = load_source(str(saved / name), allow_code=not name.endswith("skops"))

    found = model.predict(_inputs(model))

    assert model.name == "scikit-learn"
    np.testing.assert_array_equal(found["predict"], _expected(saved, name)["predict"])


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if not name.endswith("skops")])
def test_their_pickles_are_read_only_where_code_is_allowed(saved: Path, name: str) -> None:
    with pytest.raises(Invalid, match="may hold code"):
        load_source(str(saved / name))


@pytest.mark.parametrize("name", ["booster", "booster-bare"])
def test_boosters_answer_as_mlflow_does(saved: Path, name: str) -> None:
    model = load_source(str(saved / name))

    found = model.predict(_inputs(model))

    assert model.name == "lightgbm"
    np.testing.assert_array_equal(found["score"], _expected(saved, name)["predict"])


def test_a_wrapper_of_lightgbm_answers_as_mlflow_does(saved: Path) -> None:
    model = load_source(str(saved / "wrapper"), allow_code=True)

    found = model.predict(_inputs(model))

    np.testing.assert_array_equal(found["predict"], _expected(saved, "wrapper")["predict"])


@pytest.mark.parametrize("name", ["graph", "wide", "wide-inside"])
def test_graphs_answer_as_mlflow_does(saved: Path, name: str) -> None:
    model = load_source(str(saved / name))

    found = model.predict(_inputs(model))

    expected = _expected(saved, name)
    assert found.keys() == expected.keys()
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, rtol=1e-6)


def test_mlflow_is_not_there(saved: Path) -> None:
    assert find_spec("mlflow") is None
    assert "mlflow" not in sys.modules
    assert (saved / "wide" / "MLmodel").is_file()
