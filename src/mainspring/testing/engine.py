"""The exam of every engine: subclass it, give the three fixtures, run pytest.

class TestMyEngine(EngineContract):
    @pytest.fixture
    def folder(self, tmp_path): ...     # a model folder with its model.json
    @pytest.fixture
    def inputs(self): ...               # at least 8 rows that differ
    @pytest.fixture
    def expected(self): ...             # what the model must answer to them

    datatypes = ("FP32", "FP64")        # those of inputs that the engine claims to take
    def model_of(self, datatype, folder): ...   # a loaded model with one input of the datatype

A model that is not in a folder is given by the fixture `model` instead of `folder`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import ClassVar

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.engines.tensor import DTYPES, Array, Tensors, fits_shape

ROWS = 8
THREADS = 4
OTHER: dict[str, str] = {"f": "<i8", "i": "<f8", "u": "<f8", "b": "<f8", "O": "<f8"}
"""A dtype of another kind, for each kind."""


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


def _fits(column: Column, values: Array, rows: int) -> bool:
    shaped = values.ndim == 1 + len(column.shape) and fits_shape(column, values.shape[1:])
    return shaped and len(values) == rows and values.dtype == DTYPES[column.datatype]


def _values(column: Column) -> Array:
    """Rows that differ, of the column's datatype and shape."""
    shape = (ROWS, *(3 if size == -1 else size for size in column.shape))
    count = np.arange(np.prod(shape)) % 100
    dtype = DTYPES[column.datatype]
    if dtype.kind != "O":
        return (count % 3 if dtype.kind == "b" else count).astype(dtype).reshape(shape)
    levels = column.categories or tuple(f"text {number}" for number in range(100))
    texts = [levels[number % len(levels)] for number in count.tolist()]
    return np.array(texts, dtype=object).reshape(shape)


class EngineContract:
    """What any engine must do; `mainspring.engines.engine.Engine` says how it is called."""

    datatypes: ClassVar[tuple[Datatype, ...]] = ()
    """The datatypes of inputs that the engine claims to take; each is tried with `model_of`."""

    def model_of(self, datatype: Datatype, folder: Path) -> LoadedModel:
        """A model with one input of the datatype; the folder is empty."""
        raise NotImplementedError("give a model for each of the datatypes")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each datatype that is claimed."""
        if "datatype" in metafunc.fixturenames:
            metafunc.parametrize("datatype", type(self).datatypes)

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

    @pytest.mark.parametrize("rows", [1, 3, 8])
    def test_outputs_are_those_of_the_signature(
        self, model: LoadedModel, inputs: Tensors, rows: int
    ) -> None:
        found = model.predict(_rows(inputs, slice(0, rows)))

        assert list(found) == [column.name for column in model.signature.outputs]
        unfit = [
            column
            for column in model.signature.outputs
            if not _fits(column, found[column.name], rows)
        ]
        assert unfit == []

    def test_every_claimed_datatype_is_taken(self, datatype: Datatype, tmp_path: Path) -> None:
        model = self.model_of(datatype, tmp_path)
        (column,) = model.signature.inputs
        values = _values(column)

        found = model.predict({column.name: values})

        assert column.datatype == datatype
        parts = [model.predict({column.name: values[row : row + 1]}) for row in range(ROWS)]
        _same(found, {name: np.concatenate([part[name] for part in parts]) for name in found})
        assert all(len(np.unique(found[name].astype(str), axis=0)) > 1 for name in found)

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
        start = Barrier(THREADS)

        def share(thread: int) -> list[tuple[slice, Tensors]]:
            start.wait()
            mine = pieces[thread::THREADS]
            return [(piece, model.predict(_rows(inputs, piece))) for piece in mine]

        with ThreadPoolExecutor(THREADS) as threads:
            found = [each for share in threads.map(share, range(THREADS)) for each in share]

        assert len(found) == len(pieces)
        for piece, part in found:
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

    def test_a_column_of_another_datatype_is_refused(
        self, model: LoadedModel, inputs: Tensors
    ) -> None:
        name = next(reversed(inputs))
        inputs[name] = np.zeros(inputs[name].shape, dtype=OTHER[inputs[name].dtype.kind])

        with pytest.raises(Invalid) as refusal:
            model.predict(inputs)

        assert refusal.value.field == name

    def test_a_column_of_another_shape_is_refused(
        self, model: LoadedModel, inputs: Tensors
    ) -> None:
        name = next(iter(inputs))
        inputs[name] = np.stack([inputs[name]] * 2, axis=-1)

        with pytest.raises(Invalid) as refusal:
            model.predict(inputs)

        assert refusal.value.field == name

    def test_columns_that_differ_in_their_rows_are_refused(
        self, model: LoadedModel, inputs: Tensors
    ) -> None:
        if len(inputs) == 1:
            pytest.skip("one column has no other to differ from")
        name = next(reversed(inputs))
        inputs[name] = inputs[name][:-1]

        with pytest.raises(Invalid) as refusal:
            model.predict(inputs)

        assert refusal.value.field == name

    def test_no_rows_are_refused(self, model: LoadedModel, inputs: Tensors) -> None:
        with pytest.raises(Invalid):
            model.predict(_rows(inputs, slice(0, 0)))
