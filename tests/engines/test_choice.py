"""One model with two engines passes the exam, and each number of rows has its engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.engines.choice import ChosenEngine, borders, load_chosen
from mainspring.engines.conversion import convert
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.engines.lightgbm import LightGBMEngine
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.table import SIZES, EngineName, EngineTable, Timed
from mainspring.engines.tensor import Tensors
from mainspring.testing.engine import EngineContract
from tests.engines import fitted_models, forests
from tests.engines.fitted_models import SCORE, matrix
from tests.engines.forests import Kind, many_rows


def table(*chosen: EngineName) -> EngineTable:
    sizes = tuple(
        Timed(rows=rows, native_s=1.0, onnx_s=1.0, chosen=one)
        for rows, one in zip(SIZES, chosen, strict=True)
    )
    return EngineTable(native="lightgbm", sizes=sizes, reason="measured")


def with_onnx(folder: Path, *chosen: EngineName) -> LoadedModel:
    """The model of the folder, with its conversion beside it."""
    conversion = convert(folder, "FP32", allow_code=True)
    assert conversion.model is not None, conversion.reason
    beside = folder / "beside"
    beside.mkdir(exist_ok=True)
    (beside / "model.onnx").write_bytes(conversion.model)
    return load_chosen(load_model(folder, allow_code=True), beside, table(*chosen))


class TestALightGBMModelWithItsConversion(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        forests.saved(Kind("binary"), tmp_path)
        return tmp_path

    @pytest.fixture
    def model(self, folder: Path) -> LoadedModel:
        return with_onnx(folder, "native", "onnx", "native")

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {name: values[:20] for name, values in many_rows().items()}

    @pytest.fixture
    def expected(self, folder: Path, inputs: Tensors) -> Tensors:
        return load_model(folder).predict(inputs)


class TestAnEstimatorWithItsConversion(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        data, flag = matrix()
        estimator = GradientBoostingClassifier(n_estimators=20).fit(data, flag)
        inputs = tuple(Column(name=f"x{n}", datatype="FP64") for n in range(data.shape[1]))
        fitted_models.saved(estimator, tmp_path, inputs, SCORE)
        return tmp_path

    @pytest.fixture
    def model(self, folder: Path) -> LoadedModel:
        return with_onnx(folder, "onnx", "native", "native")

    @pytest.fixture
    def inputs(self) -> Tensors:
        data, _ = matrix()
        return {f"x{place}": data[:20, place] for place in range(data.shape[1])}

    @pytest.fixture
    def expected(self, folder: Path, inputs: Tensors) -> Tensors:
        return load_model(folder, allow_code=True).predict(inputs)


class Named:
    """An engine that answers with its number."""

    def __init__(self, number: float) -> None:
        self._number = number
        self.closed = 0

    def predict(self, inputs: Tensors) -> Tensors:
        return {"score": np.full(len(inputs["x"]), self._number)}

    def close(self) -> None:
        self.closed += 1


NATIVE, ONNX = 0.0, 1.0


@pytest.fixture
def answered() -> Callable[[int, EngineTable], float]:
    engines: dict[EngineName, Named] = {"native": Named(NATIVE), "onnx": Named(ONNX)}

    def ask(rows: int, by: EngineTable) -> float:
        return float(ChosenEngine(engines, by).predict({"x": np.zeros(rows)})["score"][0])

    return ask


def test_the_borders_are_the_geometric_means() -> None:
    assert borders([1, 32, 1000]) == pytest.approx([5.657, 178.885], abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "engine"),
    [(1, ONNX), (5, ONNX), (6, NATIVE), (32, NATIVE), (178, NATIVE), (179, ONNX), (5000, ONNX)],
)
def test_the_number_of_rows_decides(
    rows: int, engine: float, answered: Callable[[int, EngineTable], float]
) -> None:
    assert answered(rows, table("onnx", "native", "onnx")) == engine


def test_both_are_closed_once() -> None:
    engines: dict[EngineName, Named] = {"native": Named(NATIVE), "onnx": Named(ONNX)}

    ChosenEngine(engines, table("onnx", "native", "onnx")).close()

    assert [engine.closed for engine in engines.values()] == [1, 1]


@pytest.mark.parametrize(
    ("chosen", "kind", "name"),
    [
        (("native", "native", "native"), LightGBMEngine, "lightgbm"),
        (("onnx", "onnx", "onnx"), ONNXEngine, "onnx"),
        (("onnx", "onnx", "native"), ChosenEngine, "lightgbm, onnx"),
    ],
)
def test_one_engine_is_enough_where_it_answers_all(
    chosen: tuple[EngineName, ...], kind: type[object], name: str, tmp_path: Path
) -> None:
    forests.saved(Kind("binary"), tmp_path)

    model = with_onnx(tmp_path, *chosen)

    assert type(model.engine) is kind
    assert model.name == name


def test_a_conversion_that_is_damaged_is_refused(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")

    with pytest.raises(Invalid, match=r"model\.onnx|damaged"):
        load_chosen(load_model(tmp_path), tmp_path, table("onnx", "onnx", "native"))
