"""LightGBM models of every kind, over columns that are hard to convert."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from sklearn.datasets import load_breast_cancer

from mainspring.core.signature import Column, Signature
from mainspring.engines import lightgbm as engine
from mainspring.engines.encoding import encode
from mainspring.engines.tensor import Tensors

LEVELS = ("a", "b", "c", "d", "e")
INPUTS = (
    Column(name="gaps", datatype="FP64", nullable=True),
    Column(name="size", datatype="BYTES", nullable=True, categories=LEVELS),
    Column(name="texture", datatype="FP32"),
    Column(name="area", datatype="FP64"),
    Column(name="zeros", datatype="FP64", nullable=True),
    Column(name="sign", datatype="FP64", nullable=True),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a model is trained for, and with which parameters."""

    objective: str
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def classes(self) -> int:
        """How many scores it gives."""
        return int(dict(self.more).get("num_class", 1))

    def __str__(self) -> str:
        return " ".join([self.objective, *(f"{name}={value}" for name, value in self.more)])


BAGGED = (("boosting", "rf"), ("bagging_freq", 1), ("bagging_fraction", 0.7))
KINDS = (
    Kind("binary"),
    Kind("binary", (("zero_as_missing", True),)),
    Kind("binary", (("use_missing", False),)),
    Kind("binary", (("sigmoid", 2.0),)),
    Kind("binary", BAGGED),
    Kind("binary", (("boosting", "dart"),)),
    Kind("regression"),
    Kind("regression", (("reg_sqrt", True),)),
    Kind("multiclass", (("num_class", 5),)),
    Kind("multiclass", (("num_class", 5), *BAGGED)),
    Kind("multiclassova", (("num_class", 5), ("sigmoid", 1.5))),
    *(Kind(name) for name in ("poisson", "gamma", "tweedie", "quantile", "huber", "lambdarank")),
    *(Kind(name) for name in ("cross_entropy", "cross_entropy_lambda")),
)


@cache
def data() -> tuple[Tensors, np.ndarray, np.ndarray]:
    """Rows with gaps, categories, zeros and negative numbers; a flag; and a class of five."""
    found, flag = load_breast_cancer(return_X_y=True)
    gaps = found[:, 0].copy()
    gaps[::5] = np.nan
    place = np.digitize(found[:, 2], np.quantile(found[:, 2], [0.2, 0.4, 0.6, 0.8]))
    size = np.array([LEVELS[level] for level in place], dtype=object)
    size[::7] = None
    middle = np.median(found[:, 5])
    inputs: Tensors = {
        "gaps": gaps,
        "size": size,
        "texture": found[:, 1].astype(np.float32),
        "area": found[:, 3],
        "zeros": np.where(found[:, 5] > middle, 0.0, found[:, 5] - 0.1),
        "sign": found[:, 6] - 0.1,
    }
    return inputs, flag, place


def trained(kind: Kind, rounds: int = 40) -> tuple[lightgbm.Booster, Signature]:
    """A booster of the kind, and its signature."""
    inputs, flag, place = data()
    outputs = tuple(Column(name=f"score{n}", datatype="FP64") for n in range(kind.classes))
    signature = Signature(inputs=INPUTS, outputs=outputs)
    target = place if kind.classes > 1 else flag
    if kind.objective in ("regression", "gamma", "quantile", "huber"):
        target = inputs["area"] / 100
    parameters = {
        "objective": kind.objective, "verbosity": -1, "num_threads": 1, "cat_smooth": 1,
        "min_data_per_group": 5, "max_cat_to_onehot": 1, **dict(kind.more),
    }  # fmt: skip
    rows = lightgbm.Dataset(
        encode(signature, inputs),
        target,
        categorical_feature=[1],
        group=[100, 100, 100, 100, 169] if kind.objective == "lambdarank" else None,
        params={name: value for name, value in kind.more if name == "linear_tree"},
    )
    return lightgbm.train(parameters, rows, num_boost_round=rounds), signature


def saved(kind: Kind, folder: Path, rounds: int = 40) -> Signature:
    """Save a booster of the kind into the folder."""
    booster, signature = trained(kind, rounds)
    engine.save(booster.model_to_string(), folder, signature)
    return signature


def many_rows(seed: int = 7) -> Tensors:
    """The rows again and again, with other gaps, zeros, and categories that nobody has seen."""
    dice = np.random.default_rng(seed)
    inputs = {name: np.tile(values, 4) for name, values in data()[0].items()}
    count = len(inputs["area"])
    for name in ("gaps", "zeros", "sign"):
        values = np.where(dice.random(count) < 0.1, 0.0, inputs[name])
        inputs[name] = np.where(dice.random(count) < 0.1, np.nan, values)
    unseen = np.array("unseen", dtype=object)
    inputs["size"] = np.where(dice.random(count) < 0.1, unseen, inputs["size"])
    return inputs
