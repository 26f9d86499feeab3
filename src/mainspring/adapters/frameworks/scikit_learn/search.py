"""Searches: each candidate a run of its own, and all of them in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mainspring.adapters.frameworks.scikit_learn import description
from mainspring.recording.autologging import Training

MAX_CHILDREN = 100


def tell(search: Any, training: Training) -> None:
    """Record the candidates and the best of them."""
    results = search.cv_results_
    best = getattr(search, "best_params_", None)
    if isinstance(best, Mapping):
        training.params({f"best.{key}": description.said(value) for key, value in best.items()})
    candidates = list(results["params"])
    training.metrics({"candidates": len(candidates)})
    training.table(_table(results), "cv_results.json")
    order = _order(results, len(candidates))
    if len(order) > MAX_CHILDREN:
        training.run.say(
            f"candidates {training.prefix}",
            "of %d candidates the best %d are runs of their own; %s has all of them",
            len(order),
            MAX_CHILDREN,
            training.path("cv_results.json"),
        )
    for place in order[:MAX_CHILDREN]:
        training.child(
            f"candidate {place}",
            params={key: description.said(value) for key, value in candidates[place].items()},
            metrics=_numbers(results, place),
        )


def _order(results: Mapping[str, Any], count: int) -> list[int]:
    """The places of the candidates, the best first; of a successive halving the last round first."""
    ranks = next((results[key] for key in results if key.startswith("rank_test_")), None)
    if ranks is None:
        return list(range(count))
    return [int(place) for place in np.argsort(np.asarray(ranks), kind="stable")]


def _numbers(results: Mapping[str, Any], place: int) -> dict[str, float]:
    found = {}
    for key, column in results.items():
        if key == "params" or key.startswith("param_"):
            continue
        value = np.asarray(column)[place]
        if np.asarray(value).dtype.kind in "biuf":
            found[key] = float(value)
    return found


def _table(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results as columns and rows, as tables are kept."""
    names = [key for key in results if key != "params"]
    columns = [[description.said(value) for value in _listed(results[key])] for key in names]
    return {"columns": names, "data": [list(row) for row in zip(*columns, strict=True)]}


def _listed(column: Any) -> list[Any]:
    masked = np.ma.isMaskedArray(column)
    return [None if masked and value is np.ma.masked else _plain(value) for value in column]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
