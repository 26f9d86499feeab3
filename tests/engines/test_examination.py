"""A version's engines are examined; whatever goes wrong with a conversion is a reason."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.engines import examination
from mainspring.engines.engine import Engine
from mainspring.engines.examination import Examination, Rules, Sample
from mainspring.engines.made_rows import made_rows
from mainspring.engines.source import load_source
from mainspring.engines.table import SIZES, EngineTable
from mainspring.engines.tensor import Tensors
from mainspring.engines.timing import Medians, medians
from tests.engines import fitted_models, forests
from tests.engines.fitted_models import SCORE, far_from_zero, matrix
from tests.engines.forests import KINDS, Kind, many_rows


def stopwatch(**seconds: tuple[float, float, float]) -> Rules:
    """Rules under which engines take what is said, at 1, 32 and 1000 rows."""

    def measure(engines: Mapping[str, Engine], rows: Tensors) -> Medians:
        assert len(next(iter(rows.values()))) >= max(SIZES)
        return {
            size: {name: seconds[name][place] for name in engines}
            for place, size in enumerate(SIZES)
        }

    return Rules(measure=measure, allow_code=True)


QUICK_AT_FEW = stopwatch(native=(0.5, 0.5, 0.5), onnx=(0.25, 0.25, 0.75))


def examine(folder: Path, sample: Sample, rules: Rules) -> Examination:
    """Examine the model of the folder, which this test made itself."""
    native = load_source(str(folder), allow_code=True)
    return examination.examine(folder, native, sample, rules)


def sampled(inputs: Tensors, **more: object) -> Sample:
    return Sample(inputs=inputs, origin="rows of this test", **more)  # type: ignore[arg-type]


def choices(table: EngineTable) -> list[str]:
    return [size.chosen for size in table.sizes]


def test_the_quicker_engine_is_chosen_for_each_size(tmp_path: Path) -> None:
    data, flag = matrix()
    fitted_models.saved(GradientBoostingClassifier(n_estimators=20).fit(data, flag), tmp_path)

    found = examine(tmp_path, sampled({"input": data}), QUICK_AT_FEW)

    assert choices(found.table) == ["onnx", "onnx", "native"]
    assert [(size.native_s, size.onnx_s) for size in found.table.sizes] == [
        (0.5, 0.25), (0.5, 0.25), (0.5, 0.75),
    ]  # fmt: skip
    assert found.table.reason == (
        "the conversion (FP32) is within the parity budget; native is quicker at 1000 rows; "
        "onnx is quicker at 1, 32 rows"
    )
    assert found.model is not None


def test_one_that_is_never_quicker_is_not_kept(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)

    found = examine(tmp_path, sampled(many_rows()), stopwatch(native=(1, 1, 1), onnx=(1, 2, 3)))

    assert choices(found.table) == ["native"] * 3
    assert found.model is None
    assert found.table.parity is not None
    assert found.table.parity.within


def test_one_that_flips_labels_is_not_used_however_quick_it_is(tmp_path: Path) -> None:
    rows = fitted_models.tied(tmp_path)

    found = examine(tmp_path, sampled(rows), stopwatch(native=(9, 9, 9), onnx=(0, 0, 0)))

    assert choices(found.table) == ["native"] * 3
    assert found.model is None
    assert found.table.parity is not None
    assert found.table.parity.flips > 0.05
    assert found.table.parity.over == 0.0
    assert found.table.reason.startswith("its conversion is not within the parity budget: ")
    assert "of the rows get another label; 0.05% may" in found.table.reason


def test_the_precision_is_what_stays_within_the_budget(tmp_path: Path) -> None:
    data, flag = far_from_zero()
    forest = RandomForestClassifier(11, random_state=0)
    fitted_models.saved(make_pipeline(StandardScaler(), forest).fit(data, flag), tmp_path)

    found = examine(tmp_path, sampled({"input": data}), QUICK_AT_FEW)

    assert found.table.precision == "FP64"
    assert choices(found.table) == ["onnx", "onnx", "native"]


def test_single_precision_is_enough_where_no_row_is_off(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)

    found = examine(tmp_path, sampled(many_rows()), QUICK_AT_FEW)

    assert found.table.precision == "FP32"


def test_a_loss_on_known_labels_counts(tmp_path: Path) -> None:
    data, flag = matrix()
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, flag)
    fitted_models.saved(estimator, tmp_path, outputs=SCORE)
    labelled = sampled({"input": data}, labels=flag, task="binary")

    found = examine(tmp_path, labelled, QUICK_AT_FEW)

    assert found.table.parity is not None
    assert found.table.parity.metric_delta is not None
    assert 0 < found.table.parity.metric_delta < 1e-4


def test_what_cannot_be_converted_keeps_its_engine_and_has_its_times(tmp_path: Path) -> None:
    forests.saved(Kind("regression", (("linear_tree", True),)), tmp_path)

    found = examine(tmp_path, sampled(many_rows()), stopwatch(native=(1, 2, 3)))

    assert found.table.reason == "it cannot be converted: its leaves hold linear models"
    assert [(size.native_s, size.onnx_s, size.chosen) for size in found.table.sizes] == [
        (1, None, "native"), (2, None, "native"), (3, None, "native"),
    ]  # fmt: skip
    assert found.table.parity is None


def test_without_a_converter_the_table_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forests.saved(Kind("binary"), tmp_path)
    loading = importlib.import_module

    def without_onnx(name: str) -> object:
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return loading(name)

    monkeypatch.setattr(importlib, "import_module", without_onnx)

    found = examine(tmp_path, sampled(many_rows()), stopwatch(native=(1, 1, 1)))

    assert found.table.reason == (
        "no converter installed: the package 'onnx' is not installed; "
        "pip install 'mainspring[convert]'"
    )
    assert choices(found.table) == ["native"] * 3


def test_too_few_rows_prove_nothing(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)
    few = {name: values[:199] for name, values in many_rows().items()}

    found = examine(tmp_path, sampled(few), QUICK_AT_FEW)

    assert choices(found.table) == ["native"] * 3
    assert "199 rows prove nothing; 200 are wanted" in found.table.reason


def test_rows_that_the_model_refuses_are_an_error(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)

    with pytest.raises(Invalid, match="no input column 'other'"):
        examine(tmp_path, sampled(many_rows() | {"other": np.zeros(2276)}), QUICK_AT_FEW)


def test_the_table_names_the_libraries(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)

    found = examine(tmp_path, sampled(many_rows()), QUICK_AT_FEW)

    assert {name for name, _ in found.table.libraries} >= {"lightgbm", "onnx", "onnxruntime"}
    assert found.table.rows == "rows of this test"


def test_real_engines_are_timed(tmp_path: Path) -> None:
    forests.saved(KINDS[0], tmp_path)

    def quickly(engines: Mapping[str, Engine], rows: Tensors) -> Medians:
        return medians(engines, rows, within_s=0.1)

    found = examine(tmp_path, sampled(many_rows()), Rules(measure=quickly))

    # Which of them wins is the machine's affair.
    assert [size.rows for size in found.table.sizes] == [1, 32, 1000]
    for size in found.table.sizes:
        assert size.native_s > 0
        assert size.onnx_s is not None
        assert size.onnx_s > 0


def test_a_model_that_takes_a_fixed_number_of_rows_is_not_timed(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)
    fixed = replace(load_source(str(tmp_path)), rows=4)

    found = examination.examine(tmp_path, fixed, sampled(many_rows()), QUICK_AT_FEW)

    assert found.table.sizes == ()
    assert found.table.reason == "its own engine takes 4 rows a call"


def test_a_folder_that_we_did_not_save_keeps_its_engine(tmp_path: Path) -> None:
    forests.saved(Kind("binary"), tmp_path)
    native = load_source(str(tmp_path))
    (tmp_path / "model.json").unlink()

    found = examination.examine(tmp_path, native, sampled(many_rows()), stopwatch(native=(1, 1, 1)))

    assert choices(found.table) == ["native"] * 3
    assert "holds no model.json" in found.table.reason


def test_a_model_that_refuses_rows_is_timed_with_those_that_it_takes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "kind": ["a", "b", "a", "b"]})
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    kept = Column(name="kind", datatype="BYTES", nullable=True, categories=("a", "b"))
    numbers = Column(name="size", datatype="FP64", nullable=True)
    fitted_models.saved(model, tmp_path, (numbers, kept), SCORE)
    native = load_source(str(tmp_path))

    found = examine(tmp_path, sampled(made_rows(native.signature, 300, 1)), QUICK_AT_FEW)

    assert choices(found.table) == ["native", "native", "native"]
    assert found.table.reason.startswith("its own engine refuses rows that fit its signature")
    assert found.model is None
