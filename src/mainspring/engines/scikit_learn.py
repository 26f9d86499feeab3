"""scikit-learn's estimators, and those of others that are called as they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid, Unavailable
from mainspring.core.extras import require
from mainspring.core.signature import Column, Signature
from mainspring.engines.engine import ModelDescription
from mainspring.engines.estimator import (
    feature_names,
    final,
    input_columns,
    steps,
    text_features,
    unwrapped,
)
from mainspring.engines.missing import made_up, narrowed
from mainspring.engines.object_parts import chance_kept, sources_in
from mainspring.engines.pickles import EXTRA, read_pickle
from mainspring.engines.skops_files import read_skops
from mainspring.engines.tensor import DTYPES, Array, Tensors, datatype_of

SKOPS = ".skops"
PREDICT, PROBABILITIES = "predict", "predict_proba"
DECIDED_BY_PROBABILITY = frozenset(
    {
        "BaggingClassifier",
        "CalibratedClassifierCV",
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "ExtraTreesClassifier",
        "LabelPropagation",
        "LabelSpreading",
        "RandomForestClassifier",
    }
)
"""The classifiers of scikit-learn whose `predict` is `classes_[argmax(predict_proba)]` in its source.

Those that decide by a score before it becomes a probability are not among them: rounding may make two
probabilities equal whose scores differ.
"""
Feed = Callable[[Tensors], Any]
Take = Callable[[Array | None, Array | None], Array]


class ScikitLearnEngine:
    """One estimator, fed with one matrix, or with a data frame of the columns.

    Without a signature, `signature` is what fitting left in the estimator, and the outputs are
    `predict` and, for a classifier that has it, `predict_proba`.
    """

    def __init__(self, estimator: Any, signature: Signature | None = None) -> None:
        self._estimator = estimator = unwrapped(estimator)
        if not callable(getattr(estimator, "predict", None)):
            raise Invalid(
                f"a {type(estimator).__name__} has no `predict`",
                field="source",
                fix="save the whole pipeline, with the estimator that predicts",
            )
        inputs = signature.inputs if signature and signature.inputs else input_columns(estimator)
        self._feed = _feed(estimator, inputs)
        outputs = signature.outputs if signature else ()
        if not outputs:
            outputs = self._natural_outputs(inputs)
        self.signature = Signature(inputs=inputs, outputs=outputs)
        self._takes = {column.name: _take(column, self.signature, estimator) for column in outputs}
        taken = {kind for kind, _ in self._takes.values()}
        self._probable = PROBABILITIES in taken
        self._decided = PREDICT in taken
        self._classes = estimator.classes_ if _decides_by_probability(estimator) else None
        if signature is None or not signature.inputs:
            self.signature = self.narrowed_signature()

    def predict(self, inputs: Tensors) -> Tensors:
        """Call the estimator; errors: what it refuses with a ValueError is `Invalid`."""
        rows = self._feed(inputs)
        labels = probabilities = None
        try:
            if self._probable:
                probabilities = self._estimator.predict_proba(rows)
            if self._decided and probabilities is not None and self._classes is not None:
                labels = self._classes.take(probabilities.argmax(axis=1), axis=0)
            elif self._decided:
                labels = np.asarray(self._estimator.predict(rows))
        except ValueError as error:
            raise Invalid(f"the model refuses the inputs: {error}", field="inputs") from None
        count = len(next(iter(inputs.values())))
        found = {}
        for name, (kind, take) in self._takes.items():
            values = take(labels if kind == PREDICT else probabilities)
            if values.shape[:1] != (count,):
                raise RuntimeError(f"{kind} gave the shape {list(values.shape)} for {count} rows")
            found[name] = values
        return found

    def narrowed_signature(self) -> Signature:
        """The signature, in which only what the estimator takes without a value may lack one."""
        with warnings.catch_warnings(), chance_kept(sources_in(self._estimator)):
            warnings.simplefilter("ignore")  # about rows that are made up
            inputs = narrowed(self.signature.inputs, self.predict)
        return Signature(inputs=inputs, outputs=self.signature.outputs)

    def _natural_outputs(self, inputs: tuple[Column, ...]) -> tuple[Column, ...]:
        estimator = self._estimator
        classes = _classes(estimator)
        if classes is None:
            return (self._tried(inputs),)
        label = Column(name=PREDICT, datatype=datatype_of(classes))
        if not hasattr(estimator, PROBABILITIES):
            return (label,)
        return (label, Column(name=PROBABILITIES, datatype="FP64", shape=(len(classes),)))

    def _tried(self, inputs: tuple[Column, ...]) -> Column:
        """The column of `predict`, as it answers one made-up row; one FP64 if it refuses that."""
        try:
            found = np.asarray(self._estimator.predict(self._feed(made_up(inputs))))
        except ValueError:
            return Column(name=PREDICT, datatype="FP64")
        if found.ndim < 1 or len(found) != 1:
            raise Invalid(f"predict gave the shape {list(found.shape)} for 1 row", field="outputs")
        return Column(name=PREDICT, datatype=datatype_of(found), shape=found.shape[1:])


def load(folder: Path, description: ModelDescription, *, allow_code: bool) -> ScikitLearnEngine:
    """Load the first of the folder's files: skops, or a pickle where that is allowed."""
    if not description.files:
        raise Invalid(f"{folder} names no file of the estimator", field="files")
    estimator = read_estimator(folder / description.files[0], allow_code=allow_code)
    return ScikitLearnEngine(estimator, description.signature)


def read_estimator(path: Path, *, allow_code: bool) -> Any:
    """The estimator in a skops file or a pickle; errors: not allowed, or damaged."""
    require("sklearn", EXTRA)
    read = read_skops if path.suffix == SKOPS else read_pickle
    return in_one_thread(read(path, allow_code=allow_code))


def in_one_thread(estimator: Any) -> Any:
    """The estimator, whose calls start no threads; it is changed in place."""
    for step in steps(unwrapped(estimator)):
        # Threads a call cost more than a call, and change the order in which a forest adds up.
        if getattr(step, "n_jobs", None) not in (None, 1):
            step.n_jobs = 1
    return estimator


def _classes(estimator: Any) -> Array | None:
    """The classes of a classifier of one target."""
    found = getattr(estimator, "classes_", None)
    return found if isinstance(found, np.ndarray) and found.ndim == 1 else None


def _decides_by_probability(estimator: Any) -> bool:
    last = final(estimator)
    kind = type(last)
    own = kind.__module__.partition(".")[0] == "sklearn" and _classes(estimator) is not None
    soft = kind.__name__ == "VotingClassifier" and last.voting == "soft"
    return own and (soft or kind.__name__ in DECIDED_BY_PROBABILITY)


def _take(
    column: Column, signature: Signature, estimator: Any
) -> tuple[str, Callable[[Any], Array]]:
    """Which answer of the estimator the column holds, and how to get it out."""
    dtype = DTYPES[column.datatype]
    kind, index = meant(column, signature, estimator)
    _check_kind(column, kind, estimator)
    if index is not None:
        return kind, lambda values: np.asarray(values)[:, index].astype(dtype, copy=False)
    return kind, lambda values: values.astype(dtype, copy=False)


def meant(column: Column, signature: Signature, estimator: Any) -> tuple[str, int | None]:
    """What an output holds, and which column of it: `predict` and `predict_proba` by name; else by how
    many columns of numbers there are."""
    name, outputs = column.name, signature.outputs
    if name in (PREDICT, PROBABILITIES):
        return name, None
    probable = _classes(estimator) is not None and hasattr(estimator, PROBABILITIES)
    numbers = all(one.datatype in ("FP32", "FP64") and not one.shape for one in outputs)
    if len(outputs) == 1:
        second = probable and numbers and len(estimator.classes_) == 2
        return (PROBABILITIES, 1) if second and name != "prediction" else (PREDICT, None)
    place = outputs.index(column)
    if probable and numbers and len(outputs) == len(estimator.classes_):
        return PROBABILITIES, place
    return PREDICT, place


def _check_kind(column: Column, kind: str, estimator: Any) -> None:
    if kind == PROBABILITIES and not hasattr(estimator, PROBABILITIES):
        raise Invalid(
            f"a {type(final(estimator)).__name__} has no `predict_proba`", field=column.name
        )
    classes = _classes(estimator)
    if kind == PREDICT and classes is not None:
        text = datatype_of(classes) == "BYTES"
        if text != (column.datatype == "BYTES"):
            raise Invalid(
                f"the output {column.name!r} is {column.datatype}; the classes are "
                f"{', '.join(map(repr, classes[:3].tolist()))}",
                field=column.name,
            )


def _feed(estimator: Any, inputs: tuple[Column, ...]) -> Feed:
    """How to turn the inputs into what the estimator was fitted on."""
    names = feature_names(estimator)
    if len(inputs) == 1 and inputs[0].shape:
        return _matrix_feed(estimator, inputs[0], names)
    width = getattr(estimator, "n_features_in_", None)
    if len(inputs) == 1 and inputs[0].datatype == "BYTES" and width is None:
        only = inputs[0].name
        return lambda given: given[only]
    if names is None:
        if width is not None and width != len(inputs):
            raise Invalid(
                f"the model takes {width} features, its signature has {len(inputs)}", field="inputs"
            )
        return _stacked(inputs)
    if set(names) != {column.name for column in inputs}:
        raise Invalid(
            f"the model was fitted on the columns {', '.join(names)}; its signature has "
            f"{', '.join(column.name for column in inputs)}",
            field="inputs",
        )
    by_name = {column.name: column for column in inputs}
    ordered = tuple(by_name[name] for name in names)
    if find_spec("pandas") is None:
        return _without_pandas(estimator, ordered)
    return _framed(estimator, ordered)


def _matrix_feed(estimator: Any, column: Column, names: list[str] | None) -> Feed:
    width = getattr(estimator, "n_features_in_", None)
    if len(column.shape) == 1 and width is not None and column.shape[0] not in (-1, width):
        raise Invalid(
            f"the model takes {width} features, its signature has {column.shape[0]}", field="inputs"
        )
    name = column.name
    if names is None or find_spec("pandas") is None:
        return lambda given: given[name]
    frame = require("pandas", EXTRA).DataFrame
    return lambda given: frame(given[name], columns=names)


def _stacked(columns: tuple[Column, ...]) -> Feed:
    text = any(column.datatype == "BYTES" for column in columns)
    dtype = np.dtype(object) if text else np.dtype(np.float64)
    names = [column.name for column in columns]

    def stacked(given: Tensors) -> Array:
        matrix = np.empty((len(given[names[0]]), len(names)), dtype=dtype)
        for place, name in enumerate(names):
            matrix[:, place] = given[name]
        return matrix

    return stacked


def _without_pandas(estimator: Any, columns: tuple[Column, ...]) -> Feed:
    if any(hasattr(step, "transformers_") for step in steps(estimator)[:1]):
        raise Unavailable(
            "the package 'pandas' is not installed, and the model chooses columns of a data frame",
            fix="pip install pandas",
        )
    # The columns are in the order of the names: that they come without them is no news.
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return _stacked(columns)


def _framed(estimator: Any, columns: tuple[Column, ...]) -> Feed:
    pandas = require("pandas", EXTRA)
    frame, names = pandas.DataFrame, [column.name for column in columns]
    if all(column.datatype == "FP64" for column in columns):
        numbers, index = _stacked(columns), pandas.Index(names)
        return lambda given: frame(numbers(given), columns=index)
    levels = text_features(estimator, names)
    keeps_none = {name for name in names if None in levels.get(name, ())}
    text = {column.name for column in columns if column.datatype == "BYTES"}

    def series(name: str, values: Array) -> Any:
        if name not in text:
            return values
        # A frame says NaN for text that is missing, unless the model learnt None.
        lacking = None if name in keeps_none else np.nan
        told = [lacking if value is None else value for value in values.tolist()]
        return pandas.Series(
            np.array(told, dtype=object), dtype=object if lacking is None else None
        )

    return lambda given: frame({name: series(name, given[name]) for name in names})
