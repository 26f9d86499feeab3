"""A version's engines, examined: converted, held against each other, timed, chosen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import numpy as np

from mainspring.core.errors import Invalid, MainspringError
from mainspring.engines.choice import chosen, in_words
from mainspring.engines.conversion import Conversion, convert
from mainspring.engines.engine import Engine, LoadedModel, ModelDescription
from mainspring.engines.onnx import MODEL
from mainspring.engines.onnx import load as load_onnx
from mainspring.engines.parity import judge
from mainspring.engines.table import SIZES, Budget, EngineTable, Parity, Precision
from mainspring.engines.tensor import Array, Tensors
from mainspring.engines.timing import Medians, medians

Measure = Callable[[Mapping[str, Engine], Tensors], Medians]
DEFAULT_BUDGET = Budget()
PRECISIONS: tuple[Precision, ...] = ("FP32", "FP64")
MOST_ASKED = 200
"""So many rows are asked one by one, where a model does not take all."""
PACKAGES = (
    "lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows to examine a model with."""

    inputs: Tensors
    origin: str
    """Where they came from, in words."""
    labels: Array | None = None
    """The truth of the rows, or of the first of them."""
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a model is examined."""

    budget: Budget = DEFAULT_BUDGET
    measure: Measure = medians
    allow_code: bool = False
    """Whether the version's files may be read if they hold code."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and the ONNX file if it is to answer anything."""

    table: EngineTable
    model: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Subject:
    """The version, what it is examined with, and what its own engine answers."""

    folder: Path
    native: LoadedModel
    sample: Sample
    expected: Tensors
    rules: Rules


@dataclass(frozen=True, slots=True)
class _Verified:
    conversion: Conversion
    engine: Engine
    parity: Parity


def examine(
    folder: Path, native: LoadedModel, sample: Sample, rules: Rules | None = None
) -> Examination:
    """Examine the model of the folder; whatever goes wrong with its conversion is a reason.

    Errors: those of asking the version's own engine for the sample's rows.
    """
    rules = rules or Rules()
    if native.rows is not None or not native.batching:
        many = f"{native.rows} rows" if native.rows is not None else "one request"
        return _untimed(native, sample, rules, f"its own engine takes {many} a call")
    try:
        expected = native.predict(sample.inputs)
    except Invalid as error:
        return _by_itself(native, sample, rules, error)
    subject = _Subject(folder, native, sample, expected, rules)
    best, reason = _best(subject)
    engines: dict[str, Engine] = {"native": native.engine}
    if best is not None and best.parity.within:
        engines["onnx"] = best.engine
    measured = rules.measure(engines, _repeated(sample.inputs, max(SIZES)))
    timed = chosen(measured, best.parity if best else None)
    told = _untimed(native, sample, rules, reason)
    if best is None:
        return Examination(msgspec.structs.replace(told.table, sizes=timed))
    precision = best.conversion.precision
    table = msgspec.structs.replace(
        told.table,
        sizes=timed,
        reason=reason or in_words(timed, precision),
        precision=precision,
        parity=best.parity,
    )
    return Examination(table, best.conversion.model if table.uses_onnx else None)


def _by_itself(native: LoadedModel, sample: Sample, rules: Rules, error: Invalid) -> Examination:
    """The times of an engine that refuses rows which fit its signature: gaps, unknown categories.

    No conversion stands in for it: one would answer what the version itself refuses.
    """
    filled = {name: _filled(values) for name, values in sample.inputs.items()}
    answered = _answered(native, filled)
    if not answered:
        raise error
    inputs = {name: values[answered] for name, values in filled.items()}
    measured = rules.measure({"native": native.engine}, _repeated(inputs, max(SIZES)))
    reason = (
        "its own engine refuses rows that fit its signature, and a conversion would answer them: "
        f"{error.message}"
    )[:1000]
    told = _untimed(native, sample, rules, reason).table
    return Examination(msgspec.structs.replace(told, sizes=chosen(measured, None)))


def _answered(native: LoadedModel, inputs: Tensors) -> list[int]:
    """The places of the first rows that it answers, each asked alone."""
    found: list[int] = []
    for place in range(min(MOST_ASKED, len(next(iter(inputs.values()))))):
        try:
            native.predict({name: values[place : place + 1] for name, values in inputs.items()})
        except Invalid:
            continue
        found.append(place)
    return found


def _filled(values: Array) -> Array:
    """A value wherever there is none: zero, or a text that stands in another row."""
    # NaN is not itself, and a text that is missing is None.
    gaps = np.not_equal(values, values) | np.equal(values, np.array(None))
    known = values[~gaps]
    other = (known[0] if len(known) else "") if values.dtype == object else 0
    return np.where(gaps, other, values).astype(values.dtype, copy=False)


def _untimed(native: LoadedModel, sample: Sample, rules: Rules, reason: str) -> Examination:
    table = EngineTable(
        native=native.name,
        reason=reason,
        budget=rules.budget,
        rows=sample.origin,
        libraries=libraries(),
    )
    return Examination(table)


def _best(subject: _Subject) -> tuple[_Verified | None, str]:
    """The conversion that is nearest, single precision first; and why none may be used."""
    found: list[_Verified] = []
    reasons: list[str] = []
    for precision in PRECISIONS:
        one = _tried(subject, precision)
        if isinstance(one, str):
            reasons.append(one)
            continue
        found.append(one)
        if one.parity.within and one.parity.over == 0.0:
            break
    if not found:
        return None, reasons[0]
    best = min(found, key=_order)
    if best.parity.within:
        return best, ""
    beyond = "; ".join(best.parity.reasons)
    return best, f"its conversion is not within the parity budget: {beyond}"


def _tried(subject: _Subject, precision: Precision) -> _Verified | str:
    """The conversion with what it was held against, or why there is none."""
    conversion = convert(subject.folder, precision, allow_code=subject.rules.allow_code)
    if conversion.model is None:
        return conversion.reason
    try:
        return _verified(subject, conversion, conversion.model)
    except MainspringError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001  the edge of a foreign runtime
        why = f"{type(error).__name__}: {error}"[:500]
    return f"its conversion does not run: {why}"


def _order(one: _Verified) -> tuple[bool, float, float]:
    return not one.parity.within, one.parity.flips, one.parity.over


def _verified(subject: _Subject, conversion: Conversion, model: bytes) -> _Verified:
    sample = subject.sample
    engine = _loaded(model, subject.native)
    parity = judge(
        subject.expected,
        engine.predict(sample.inputs),
        subject.rules.budget,
        task=sample.task,
        labels=sample.labels,
    )
    return _Verified(conversion, engine, parity)


def _loaded(model: bytes, native: LoadedModel) -> Engine:
    """As a data plane will load it."""
    description = ModelDescription(engine="onnx", signature=native.signature, files=(MODEL,))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, MODEL).write_bytes(model)
        return load_onnx(Path(folder), description)


def _repeated(inputs: Tensors, least: int) -> Tensors:
    """At least so many rows: the same ones again, where there are fewer."""
    count = len(next(iter(inputs.values())))
    if count >= least:
        return inputs
    order = [place % count for place in range(least)]
    return {name: values[order] for name, values in inputs.items()}


def libraries() -> tuple[tuple[str, str], ...]:
    """The installed packages that take part, with their versions."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)
