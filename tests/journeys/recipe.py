"""A small training recipe: few columns, few rounds, the last fifth held out."""

from __future__ import annotations

import lightgbm
import numpy as np
import pyarrow as pa

from mainspring.recording.run import Run

INPUTS = ["hour", "minute", "day_of_week", "block_minutes", "departures_in_hour", "visib"]
SETTINGS = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbosity": -1}
ROUNDS = 20


def train(run: Run, rows: pa.Table) -> None:
    """Fit all but the last rows, log data, parameters and model."""
    cut = rows.num_rows * 4 // 5
    fit, holdout = rows.slice(0, cut), rows.slice(cut)
    run.log_dataset(fit, name="flights", role="training")
    run.log_dataset(holdout, name="flights", role="holdout")
    matrix = np.column_stack([fit[name].to_numpy() for name in INPUTS])
    booster = lightgbm.train(SETTINGS, lightgbm.Dataset(matrix, fit["label"].to_numpy()), ROUNDS)
    run.log_params(SETTINGS)
    run.log_model(booster, sample=fit.select(INPUTS))
