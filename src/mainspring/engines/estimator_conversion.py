"""scikit-learn's estimators as ONNX: skl2onnx converts them, and the columns get the signature's names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.signature import Signature
from mainspring.engines.engine import read_description
from mainspring.engines.estimator import feature_names, steps, unwrapped
from mainspring.engines.forest_conversion import OPSETS, Asked, free_name
from mainspring.engines.scikit_learn import PREDICT, PROBABILITIES, meant, read_estimator
from mainspring.engines.table import Precision

EXTRA = "convert"
PREFIX = "mainspring."
"""Of every name inside of the graph, so that none is a column's."""
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "output_class_labels": [False, True],
    "nocl": [True, False],
}
"""What skl2onnx lets a classifier be told; it is lost when a converter is registered anew."""
INT64, STRING = 7, 8  # of TensorProto
HISTOGRAM_TREES = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")


def convert(asked: Asked) -> bytes:
    """The estimator of the folder as ONNX; errors: `Invalid` says what it cannot express.

    A file that may hold code is read only where that is allowed, as its engine does.
    """
    skl2onnx = require("skl2onnx", EXTRA)
    path = asked.folder / read_description(asked.folder).files[0]
    estimator = unwrapped(read_estimator(path, allow_code=asked.allow_code))
    _mend(skl2onnx)
    # Else its probabilities would come as a dictionary a row, which is no tensor.
    probable = hasattr(estimator, PROBABILITIES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.convert_sklearn(
            estimator,
            initial_types=_inputs(estimator, asked.signature, asked.precision),
            target_opset=OPSETS,
            options={"zipmap": False} if probable else None,
        )
    return _named(model, estimator, asked.signature)


def _inputs(estimator: Any, signature: Signature, precision: Precision) -> list[tuple[str, Any]]:
    """One matrix where the estimator takes one, else one input a column."""
    types = require("skl2onnx.common.data_types", EXTRA)
    number = types.FloatTensorType if precision == "FP32" else types.DoubleTensorType
    columns = signature.inputs
    names = feature_names(estimator)
    if len(columns) == 1 and columns[0].shape:
        if columns[0].datatype == "BYTES":
            raise Invalid("its one input is a matrix of text")
        return [(columns[0].name, number([None, estimator.n_features_in_]))]
    text = any(column.datatype == "BYTES" for column in columns)
    chooses = any(hasattr(step, "transformers_") for step in steps(estimator))
    if not text and not (names and chooses):
        taken = {column.name for column in (*signature.inputs, *signature.outputs)}
        return [(free_name(taken), number([None, len(columns)]))]
    if names is None:
        raise Invalid("it takes text among columns that have no names")
    by_name = {column.name: column for column in columns}
    return [
        (
            name,
            types.StringTensorType([None, 1])
            if by_name[name].datatype == "BYTES"
            else number([None, 1]),
        )
        for name in names
    ]


def _named(model: Any, estimator: Any, signature: Signature) -> bytes:
    """The same graph with the signature's outputs."""
    onnx = require("onnx", EXTRA)
    require("onnx.compose", EXTRA)
    model = onnx.compose.add_prefix(model, PREFIX, rename_inputs=False)
    graph, helper = model.graph, onnx.helper
    names, columns = feature_names(estimator), [column.name for column in signature.inputs]
    if names and len(names) > len(graph.input) and names != columns:
        _put_in_order(graph, helper, [columns.index(name) for name in names])
    given = list(graph.output)
    del graph.output[:]
    for column in signature.outputs:
        kind, index = meant(column, signature, estimator)
        source = given[0 if kind == PREDICT else 1]
        of = source.type.tensor_type.elem_type
        name = source.name
        if index is not None:
            place, name = f"{PREFIX}place.{column.name}", f"{PREFIX}chosen.{column.name}"
            graph.initializer.append(helper.make_tensor(place, INT64, [1], [index]))
            graph.node.append(helper.make_node("Gather", [source.name, place], [name], axis=1))
        # Trees answer in single precision, whatever skl2onnx declares: only a cast makes it true.
        cast = {} if of == STRING else {"to": of}
        graph.node.append(
            helper.make_node("Cast" if cast else "Identity", [name], [column.name], **cast)
        )
        shape: list[Any] = ["rows", *([1] if index is not None else _beyond(source))]
        graph.output.append(helper.make_tensor_value_info(column.name, of, shape))
    return bytes(model.SerializeToString())


def _put_in_order(graph: Any, helper: Any, order: list[int]) -> None:
    """Give the estimator the matrix in the order that it was fitted on, not in the signature's."""
    matrix, place, ordered = graph.input[0].name, f"{PREFIX}order", f"{PREFIX}ordered"
    for node in graph.node:
        node.input[:] = [ordered if name == matrix else name for name in node.input]
    graph.initializer.append(helper.make_tensor(place, INT64, [len(order)], order))
    graph.node.insert(0, helper.make_node("Gather", [matrix, place], [ordered], axis=1))


def _beyond(output: Any) -> list[Any]:
    """The sizes of an output's dimensions after the rows."""
    dimensions = output.type.tensor_type.shape.dim[1:]
    return [one.dim_value if one.HasField("dim_value") else None for one in dimensions]


@cache
def _mend(skl2onnx: Any) -> None:
    """Let histogram trees be converted: skl2onnx 1.20 gives protobuf 7 numpy's flags, which it refuses."""
    registration = require("skl2onnx.common._registration", EXTRA)
    ensemble = require("sklearn.ensemble", EXTRA)
    for name in HISTOGRAM_TREES:
        alias = f"Sklearn{name}"
        skl2onnx.update_registered_converter(
            getattr(ensemble, name),
            alias,
            registration.get_shape_calculator(alias),
            _with_plain_numbers(registration.get_converter(alias)),
            options=OPTIONS if name.endswith("Classifier") else None,
        )


def _with_plain_numbers(converter: Callable[..., None]) -> Callable[..., None]:
    def convert_plainly(scope: Any, operator: Any, container: Any) -> None:
        converter(scope, operator, _PlainNumbers(container))

    return convert_plainly


class _PlainNumbers:
    """What collects the nodes of a graph, given Python's numbers alone."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *arguments: Any, **attributes: Any) -> None:
        """Add a node, its attributes as Python has them."""
        self._container.add_node(
            *arguments, **{name: _plain(value) for name, value in attributes.items()}
        )


def _plain(value: Any) -> Any:
    """Numpy's numbers as Python's, and flags as 0 and 1: ONNX has no others."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    found = value.item() if getattr(value, "ndim", None) == 0 else value
    return int(found) if isinstance(found, bool) else found
