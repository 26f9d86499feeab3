"""How the demo trains: the first model and every later one, by the same code and budget.

A training recipe is a function of a run and a table. It fits a model, tells the run what it did,
and leaves the judging to the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import lightgbm
import numpy as np
import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.demo.flights import CATEGORICAL, FEATURES, NIGHT_MICROS, WEATHER
from mainspring.engines.encoding import Encoder

HYPERPARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "metric": ["binary_logloss", "auc"],
    "first_metric_only": True,
    "learning_rate": 0.2,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.7,
    "lambda_l2": 10.0,
    "max_bin": 63,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 2013,
    "verbosity": -1,
}
CANDIDATES: tuple[dict[str, int], ...] = ({"num_leaves": 7}, {"num_leaves": 15}, {"num_leaves": 31})
"""The whole search: the one with the least log loss on the validation days is taken."""

ROUNDS = 60
PATIENCE = 10
HELD_OUT_SHARE = 0.2
HELD_OUT_DAYS = 14
"""At most: a model that has not seen the last month would be old before it is deployed."""

DAY_MICROS = 86_400_000_000


Role = Literal["training", "holdout"]
Task = Literal["binary"]
Curve = dict[str, list[float]]
"""A metric's value after each round, by its name."""


class Run(Protocol):
    """What the recipe asks of the run it is given."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    def log_params(self, params: Mapping[str, Any], /) -> Any: ...
    def log(self, metrics: Mapping[str, float], /, *, step: int) -> Any: ...
    def log_dataset(self, table: pa.Table, /, *, name: str, role: Role) -> Any: ...
    def log_model(
        self, booster_text: str, /, *, engine: str, signature: Signature, task: Task
    ) -> Any: ...


def train(run: Run, rows: pa.Table) -> None:
    """Fit all but the last days of `rows`; those are the hold-out that no choice has seen."""
    parameters = HYPERPARAMETERS | {"seed": run.config.get("seed", HYPERPARAMETERS["seed"])}
    days = _days(rows)
    fit_rows, holdout = _split(rows, days)
    signature = signature_of(fit_rows)
    matrix = Encoder(signature).encode({name: fit_rows[name].to_numpy() for name in FEATURES})
    label = fit_rows["label"].to_numpy().astype(np.float64)
    run.log_dataset(fit_rows, name="flights", role="training")
    run.log_dataset(holdout, name="flights", role="holdout")

    earlier = days[: len(fit_rows)] < _cut(days[: len(fit_rows)])
    chosen, validation = _search(parameters, (matrix, label), earlier)
    rounds = int(np.argmin(validation["binary_logloss"])) + 1
    run.log_params(parameters | chosen | {"rounds": rounds, "candidates": len(CANDIDATES)})
    _log_curve(run, "validation", validation)

    # The validation days have done their work: the model learns from them too.
    booster, training = _refit(_dataset(matrix, label), parameters | chosen, rounds)
    _log_curve(run, "training", training)
    run.log_model(booster.model_to_string(), engine="lightgbm", signature=signature, task="binary")


def signature_of(rows: pa.Table) -> Signature:
    """The features as columns, the categories as these rows know them."""
    return Signature(
        inputs=tuple(_column(rows, name) for name in FEATURES),
        outputs=(Column(name="late", datatype="FP64"),),
    )


def _column(rows: pa.Table, name: str) -> Column:
    if name in CATEGORICAL:
        levels = tuple(sorted(rows[name].unique().to_pylist()))
        return Column(name=name, datatype="BYTES", categories=levels)
    if name in WEATHER:
        return Column(name=name, datatype="FP64", nullable=True)
    return Column(name=name, datatype="INT64")


def _days(rows: pa.Table) -> np.ndarray:
    """The day of each row, cut at night so that one day's weather is never on both sides."""
    micros = rows["event_time"].cast(pa.int64()).to_numpy()
    if (np.diff(micros) < 0).any():
        raise Invalid("the rows are not in the order of their event times", field="event_time")
    days: np.ndarray = (micros - NIGHT_MICROS) // DAY_MICROS
    return days


def _cut(days: np.ndarray) -> int:
    """The first held-out day: a fifth of the days are held out, a fortnight at most."""
    distinct = np.unique(days)
    if len(distinct) < 2:
        raise Invalid(
            f"found rows of {len(distinct)} days, wanted some to fit and some to judge by"
        )
    held_out = min(HELD_OUT_DAYS, max(1, round(HELD_OUT_SHARE * len(distinct))))
    return int(distinct[-held_out])


def _split(rows: pa.Table, days: np.ndarray) -> tuple[pa.Table, pa.Table]:
    at = int(np.searchsorted(days, _cut(days)))
    return rows.slice(0, at), rows.slice(at)


def _dataset(
    matrix: np.ndarray, label: np.ndarray, like: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        matrix,
        label,
        reference=like,
        params=HYPERPARAMETERS,
        categorical_feature=[FEATURES.index(name) for name in CATEGORICAL],
        free_raw_data=False,
    )


def _search(
    parameters: dict[str, Any], data: tuple[np.ndarray, np.ndarray], earlier: np.ndarray
) -> tuple[dict[str, int], Curve]:
    """Fit each candidate to the earlier days; give the best on the later ones, and its curve."""
    matrix, label = data
    training = _dataset(matrix[earlier], label[earlier])
    validation = _dataset(matrix[~earlier], label[~earlier], training)
    tried: list[tuple[dict[str, int], Curve]] = []
    for candidate in CANDIDATES:
        curves: dict[str, Curve] = {}
        lightgbm.train(
            parameters | candidate,
            training,
            ROUNDS,
            valid_sets=[validation],
            valid_names=["validation"],
            callbacks=[
                lightgbm.record_evaluation(curves),
                lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False),
            ],
        )
        tried.append((candidate, curves["validation"]))
    return min(tried, key=lambda one: min(one[1]["binary_logloss"]))


def _refit(
    rows: lightgbm.Dataset, parameters: dict[str, Any], rounds: int
) -> tuple[lightgbm.Booster, Curve]:
    curves: dict[str, Curve] = {}
    booster = lightgbm.train(
        parameters,
        rows,
        rounds,
        valid_sets=[rows],
        valid_names=["training"],
        callbacks=[lightgbm.record_evaluation(curves)],
    )
    return booster, curves["training"]


def _log_curve(run: Run, part: str, curve: Curve) -> None:
    pairs = zip(curve["auc"], curve["binary_logloss"], strict=True)
    for step, (auc, log_loss) in enumerate(pairs):
        run.log({f"{part}_auc": float(auc), f"{part}_log_loss": float(log_loss)}, step=step)
