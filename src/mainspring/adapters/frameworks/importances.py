"""Importances of features: a table, and a picture where there is matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from mainspring.core.extras import require
from mainspring.recording.autologging import Training

SHOWN = 20
"""Features in the picture."""


def log_importances(training: Training, kinds: Mapping[str, Mapping[str, float]]) -> None:
    """Keep the importances of each kind, the most important feature first."""
    kinds = {kind: values for kind, values in kinds.items() if values}
    if not training.choices.figures or not kinds:
        return
    leading = next(iter(kinds.values()))
    features = list(dict.fromkeys(name for values in kinds.values() for name in values))
    features.sort(key=lambda name: -leading.get(name, 0.0))
    columns: dict[str, list[Any]] = {"feature": features}
    for kind, values in kinds.items():
        columns[kind] = [values.get(name, 0.0) for name in features]
    training.run.log_table(columns, training.path("importances.json"))
    if find_spec("matplotlib") is not None:
        kind = next(iter(kinds))
        training.figure(_bars(features[:SHOWN], columns[kind][:SHOWN], kind), "importances.png")


def _bars(names: list[str], values: list[float], kind: str) -> Any:
    """Bars, the longest on top; the figure is none of pyplot's, which the user may be at."""
    figure = require("matplotlib.figure", "loop").Figure(
        figsize=(7, 1 + 0.3 * len(names)), layout="tight"
    )
    axes = figure.add_subplot()
    axes.barh(range(len(names)), values[::-1])
    axes.set_yticks(range(len(names)), names[::-1])
    axes.set_xlabel(kind)
    return figure
