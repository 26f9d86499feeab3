"""LightGBM: `train`, `cv`, and the estimators with scikit-learn's interface."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.adapters.frameworks.boosting import (
    Boost,
    Boosting,
    Call,
    Outcome,
    arguments_of,
    class_of,
    evaluated_sets,
    fits_of,
)
from mainspring.adapters.frameworks.sources import Given
from mainspring.recording.autologging import Autolog, guarded
from mainspring.recording.framework import Saved
from mainspring.tracking.model_contract import Task

MODEL = "model.txt"
TASKS: Mapping[str, Task] = {
    "binary": "binary",
    "cross_entropy": "binary",
    "multiclass": "multiclass",
    "multiclassova": "multiclass",
    "lambdarank": "",
    "rank_xendcg": "",
}
FIRST = -1_000_000
"""The order of our callback: before those that end a training by raising."""


class LightGBM:
    """Follows LightGBM."""

    name = "lightgbm"
    modules: Sequence[str] = ("lightgbm",)

    def install(self, module: Any, autolog: Autolog) -> None:
        """Wrap what trains, and what data are put in."""
        follower = _Follower(autolog)
        engine, sklearn = module.engine, module.sklearn
        train, cv = follower.train(engine.train), follower.cv(engine.cv)
        module.train = engine.train = sklearn.train = train
        module.cv = engine.cv = cv
        module.Dataset.__init__ = follower.construct(module.Dataset.__init__)
        for estimator in fits_of(sklearn):
            estimator.fit = follower.fit(estimator.fit, _fitted, _outcome)

    def owns(self, model: object) -> bool:
        """Whether it is a booster or an estimator of LightGBM."""
        ours = any(kind.__module__.partition(".")[0] == "lightgbm" for kind in type(model).__mro__)
        return ours and (hasattr(model, "save_model") or hasattr(type(model), "booster_"))

    def save(self, model: Any, folder: Path) -> Saved:
        """Write it in LightGBM's own text format."""
        booster = _booster_of(model)
        booster.save_model(str(folder / MODEL))
        params = {"class": type(model).__name__, "iterations": booster.current_iteration()}
        if booster.best_iteration > 0:
            params["best_iteration"] = booster.best_iteration
        return Saved(files=[MODEL], params=params)


class _Follower(Boosting):
    def train(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`lightgbm.train`, which tells of each iteration."""

        @functools.wraps(original)
        def train(*args: Any, **kwargs: Any) -> Any:
            def call() -> Any:
                boost = self.current
                words = _with_callback(original, boost, args, kwargs) if boost is not None else None
                return original(**words) if words is not None else original(*args, **kwargs)

            if self.current is not None:
                return call()
            return self.follow(
                "lightgbm.train", lambda: self._trained(original, args, kwargs), call, _outcome
            )

        return train

    def cv(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`lightgbm.cv`, whose means and deviations are told when it is over."""

        @functools.wraps(original)
        def cv(*args: Any, **kwargs: Any) -> Any:
            return self.follow(
                "lightgbm.cv",
                lambda: self._trained(original, args, kwargs),
                lambda: original(*args, **kwargs),
                lambda found: Outcome(
                    history={
                        name: [float(one) for one in values]
                        for name, values in found.items()
                        if name != "cvbooster"
                    }
                ),
            )

        return cv

    def _trained(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Call:
        given = arguments_of(original, *args, **kwargs)
        dataset = given.pop("train_set")
        sets, names = given.pop("valid_sets", None) or [], given.pop("valid_names", None) or []
        sets = sets if isinstance(sets, list | tuple) else [sets]
        names = [names] if isinstance(names, str) else list(names)
        names += [f"valid_{place}" for place in range(len(names), len(sets))]
        left_out = {
            "params", "callbacks", "init_model", "keep_training_booster", "folds",
            "eval_train_metric", "return_cvbooster",
        }  # fmt: skip
        params = {
            name: value
            for name, value in {**given, **given["params"]}.items()
            if value is not None and name not in left_out
        }
        found = [
            (name, self._data_of(one))
            for name, one in zip(names, sets, strict=False)
            if one is not dataset
        ]
        return Call(
            params=params,
            data=self._data_of(dataset),
            evaluated=[(name, one) for name, one in found if one is not None],
        )

    def _data_of(self, dataset: Any) -> Given | None:
        given = self.sources.of(dataset)
        if given is None or given.target is not None:
            return given
        return Given(given.features, dataset.label)


@guarded
def _with_callback(
    original: Callable[..., Any], boost: Boost, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    given = arguments_of(original, *args, **kwargs)
    given["callbacks"] = [*(given["callbacks"] or ()), _callback(boost)]
    return given


def _callback(boost: Boost) -> Callable[[Any], None]:
    """A callback of LightGBM's that tells of each iteration."""

    @guarded
    def tell(env: Any) -> None:
        found = {f"{one[0]}/{one[1]}": float(one[2]) for one in env.evaluation_result_list or ()}
        if found:
            boost.iteration(env.iteration, found)

    vars(tell)["order"] = FIRST
    return tell


def _fitted(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Call:
    given = arguments_of(original, estimator, *args, **kwargs)
    data = Given(given["X"], given["y"])
    pairs = list(given.get("eval_set") or [])
    features, targets = given.get("eval_X"), given.get("eval_y")
    if features is not None and targets is not None:
        several = isinstance(features, tuple)
        pairs = list(zip(features, targets, strict=False)) if several else [(features, targets)]
    names = list(given.get("eval_names") or [])
    names += [f"valid_{place}" for place in range(len(names), len(pairs))]
    params = {name: value for name, value in estimator.get_params().items() if value is not None}
    return Call(
        params=params,
        data=data,
        estimator=class_of(estimator),
        evaluated=evaluated_sets(pairs, names, data),
    )


def _outcome(model: Any) -> Outcome:
    booster = _booster_of(model)
    width = booster.num_model_per_iteration()
    classes = getattr(model, "classes_", None)
    names = list(classes) if classes is not None else list(range(width))
    features = [str(name) for name in booster.feature_name()]
    scores: dict[str, float] = {"iterations": booster.current_iteration()}
    if booster.best_iteration > 0:
        scores["best_iteration"] = booster.best_iteration
        for name, metrics in booster.best_score.items():
            scores |= {f"best/{name}/{metric}": value for metric, value in metrics.items()}
    kinds = {"gain": "gain", "weight": "split"}
    return Outcome(
        model=model,
        booster=booster,
        task=_task_of(booster),
        outputs=["score"] if width < 2 else [f"score_{name}" for name in names],
        scores=scores,
        importances={
            kind: dict(
                zip(features, booster.feature_importance(word).astype(float).tolist(), strict=True)
            )
            for kind, word in kinds.items()
        },
    )


def _task_of(booster: Any) -> Task:
    lines = booster.model_to_string(num_iteration=1).splitlines()
    said = next((line for line in lines if line.startswith("objective=")), "")
    objective = said.removeprefix("objective=").partition(" ")[0]
    return TASKS.get(objective, "regression" if objective else "")


def _booster_of(model: Any) -> Any:
    return model.booster_ if hasattr(type(model), "booster_") else model
