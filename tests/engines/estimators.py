"""Estimators that tests serve, and how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mainspring.core.signature import Signature
from mainspring.engines.engine import LoadedModel, ModelDescription, write_description
from mainspring.engines.source import load_source
from mainspring.engines.tensor import Tensors

CITIES = ("Bern", "Genf", "Zug")


def saved(model: Any, folder: Path, name: str = "model.skops") -> LoadedModel:
    """The estimator as it is loaded from a file of that name."""
    if name.endswith(".skops"):
        skops.io.dump(model, folder / name)
    else:
        joblib.dump(model, folder / name)
    return load_source(str(folder / name), allow_code=not name.endswith(".skops"))


def made_frame() -> pd.DataFrame:
    """Numbers and texts, some of which are missing."""
    rows = np.arange(60)
    frame = pd.DataFrame(
        {
            "age": (rows * 7 % 50).astype(float),
            "city": [CITIES[row % 3] if row % 7 else None for row in rows],
            "count": rows % 5,
        }
    )
    frame.loc[::11, "age"] = np.nan
    return frame


def frame_inputs(frame: pd.DataFrame) -> Tensors:
    """The frame as a model is given it."""
    city = [value if isinstance(value, str) else None for value in frame["city"]]
    return {
        "age": frame["age"].to_numpy(dtype=float),
        "city": np.array(city, dtype=object),
        "count": frame["count"].to_numpy(dtype=float),
    }


def frame_pipeline(final: Any, encoder: Any = None) -> Any:
    """A pipeline that was fitted on the frame."""
    encoder = encoder or OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), ["city"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "count"]),
    )
    frame = made_frame()
    return make_pipeline(columns, final).fit(frame, np.where(frame["count"] > 2, "many", "few"))


def described(folder: Path, signature: Signature, file: str) -> None:
    """Make it a model folder."""
    description = ModelDescription(engine="scikit-learn", signature=signature, files=(file,))
    write_description(folder, description)
