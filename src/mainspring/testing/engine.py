"""The exam of every engine: subclass it, give the three fixtures, run pytest.

class TestMyEngine(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path): ...     # a model folder with its model.json
    @pytest.fixture
    def inputs(self): ...               # at least 8 rows that differ
    @pytest.fixture
    def expected(self): ...             # what the model must answer to them
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.engines.tensor import DTYPES, Tensors


def _same(found: Tensors, expected: Tensors) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def _rows(tensors: Tensors, rows: slice | list[int]) -> Tensors:
    return {name: values[rows] for name, values in tensors.items()}


class EngineContract:
    """What any engine must do; `mainspring.engines.engine.Engine` says how it is called."""

    @pytest.fixture
    def folder(self) -> Path:
        raise NotImplementedError("give the folder of a model")

    @pytest.fixture
    def inputs(self) -> Tensors:
        raise NotImplementedError("give at least 8 rows")

    @pytest.fixture
    def expected(self) -> Tensors:
        raise NotImplementedError("give the answers to the inputs")

    @pytest.fixture
    def model(self, folder: Path) -> LoadedModel:
        return load_model(folder)

    @pytest.fixture
    def count(self, inputs: Tensors) -> int:
        count = len(next(iter(inputs.values())))
        assert count >= 8
        return count

    def test_it_gives_the_expected_outputs(
        self, model: LoadedModel, inputs: Tensors, expected: Tensors
    ) -> None:
        _same(model.predict(inputs), expected)

    def test_outputs_are_those_of_the_signature(self, model: LoadedModel, inputs: Tensors) -> None:
        found = model.predict(inputs)

        assert {name: (values.ndim, values.dtype) for name, values in found.items()} == {
            column.name: (1, DTYPES[column.datatype]) for column in model.signature.outputs
        }

    def test_the_order_of_rows_is_kept(
        self, model: LoadedModel, inputs: Tensors, expected: Tensors, count: int
    ) -> None:
        order = [int(row) for row in np.random.default_rng(7).permutation(count)]

        _same(model.predict(_rows(inputs, order)), _rows(expected, order))

    def test_a_batch_equals_its_rows_one_by_one(
        self, model: LoadedModel, inputs: Tensors, count: int
    ) -> None:
        parts = [model.predict(_rows(inputs, slice(row, row + 1))) for row in range(count)]

        _same(
            model.predict(inputs),
            {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        )

    def test_four_threads_do_not_disturb_each_other(
        self, model: LoadedModel, inputs: Tensors, expected: Tensors, count: int
    ) -> None:
        pieces = [slice(first, first + 1 + first % 3) for first in range(count)] * 8

        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda piece: model.predict(_rows(inputs, piece)), pieces))

        for piece, part in zip(pieces, found, strict=True):
            _same(part, _rows(expected, piece))

    def test_inputs_are_not_changed(self, model: LoadedModel, inputs: Tensors) -> None:
        before = {name: values.copy() for name, values in inputs.items()}

        model.predict(inputs)

        assert list(inputs) == list(before)
        for name, values in before.items():
            np.testing.assert_array_equal(inputs[name], values)

    def test_a_missing_column_is_refused(self, model: LoadedModel, inputs: Tensors) -> None:
        name = next(iter(inputs))
        del inputs[name]

        with pytest.raises(Invalid) as refusal:
            model.predict(inputs)

        assert refusal.value.field == name

    def test_an_unknown_column_is_refused(self, model: LoadedModel, inputs: Tensors) -> None:
        inputs["no such column"] = next(iter(inputs.values()))

        with pytest.raises(Invalid) as refusal:
            model.predict(inputs)

        assert refusal.value.field == "no such column"

    def test_no_rows_are_refused(self, model: LoadedModel, inputs: Tensors) -> None:
        with pytest.raises(Invalid):
            model.predict(_rows(inputs, slice(0, 0)))
