"""XGBoost: `train`, `cv`, and the estimators with scikit-learn's interface."""

from __future__ import annotations

import functools
import json
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

MODEL = "model.ubj"
TASKS: Mapping[str, Task] = {
    "binary": "binary",
    "multi": "multiclass",
    "reg": "regression",
    "count": "regression",
    "survival": "regression",
}
KINDS = ("gain", "weight")


class XGBoost:
    """Follows XGBoost."""

    name = "xgboost"
    modules: Sequence[str] = ("xgboost",)

    def install(self, module: Any, autolog: Autolog) -> None:
        """Wrap what trains, and what data are put in."""
        follower = _Follower(autolog, module)
        training = module.training
        train, cv = follower.train(training.train), follower.cv(training.cv)
        sklearn = module.sklearn
        module.train = training.train = sklearn.train = train
        module.cv = training.cv = cv
        for matrix in (module.DMatrix, module.QuantileDMatrix):
            matrix.__init__ = follower.construct(matrix.__init__)
        for estimator in fits_of(sklearn):
            estimator.fit = follower.fit(estimator.fit, _fitted, _outcome)

    def owns(self, model: object) -> bool:
        """Whether it is a booster or an estimator of XGBoost."""
        ours = any(kind.__module__.partition(".")[0] == "xgboost" for kind in type(model).__mro__)
        return ours and hasattr(model, "save_model")

    def save(self, model: Any, folder: Path) -> Saved:
        """Write it in XGBoost's own binary format."""
        model.save_model(str(folder / MODEL))
        booster = _booster_of(model)
        params = {"class": type(model).__name__, "iterations": booster.num_boosted_rounds()}
        best = booster.attr("best_iteration")
        if best is not None:
            params["best_iteration"] = int(best)
        classes = _classes_of(model)
        if classes:
            params["classes"] = classes
        return Saved(files=[MODEL], params=params)


class _Follower(Boosting):
    def __init__(self, autolog: Autolog, module: Any) -> None:
        super().__init__(autolog)
        self._plain = module.DMatrix
        self._callback = _callback_of(module)

    def train(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`xgboost.train`, which tells of each iteration."""

        @functools.wraps(original)
        def train(*args: Any, **kwargs: Any) -> Any:
            def call() -> Any:
                boost = self.current
                if boost is None:
                    return original(*args, **kwargs)
                # The first of all: what another one does to end the training does not pass it by.
                callbacks = [self._callback(boost), *(kwargs.get("callbacks") or ())]
                return original(*args, **{**kwargs, "callbacks": callbacks})

            if self.current is not None:
                return call()
            return self.follow(
                "xgboost.train", lambda: self._trained(original, args, kwargs), call, _outcome
            )

        return train

    def cv(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`xgboost.cv`, whose means and deviations are told when it is over."""

        @functools.wraps(original)
        def cv(*args: Any, **kwargs: Any) -> Any:
            return self.follow(
                "xgboost.cv",
                lambda: self._trained(original, args, kwargs),
                lambda: original(*args, **kwargs),
                lambda found: Outcome(
                    history={name: [float(one) for one in values] for name, values in found.items()}
                ),
            )

        return cv

    def _trained(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Call:
        given = arguments_of(original, *args, **kwargs)
        matrix = given.pop("dtrain")
        sets = given.pop("evals", None) or []
        left_out = {"evals_result", "callbacks", "verbose_eval", "xgb_model", "folds", "as_pandas"}
        params = {
            name: value
            for name, value in {**given, **dict(given.pop("params"))}.items()
            if value is not None and name not in left_out | {"params", "show_stdv"}
        }
        found = [(name, self._data_of(one)) for one, name in sets if one is not matrix]
        return Call(
            params=params,
            data=self._data_of(matrix),
            evaluated=[(name, one) for name, one in found if one is not None],
        )

    def _data_of(self, matrix: Any) -> Given | None:
        """What the user gave, or what XGBoost holds of it."""
        given = self.sources.of(matrix)
        if given is not None and not isinstance(given.features, str | Path):
            if given.target is not None or not matrix.get_label().size:
                return given
            return Given(given.features, matrix.get_label())
        if type(matrix) is not self._plain:
            return None  # quantiles are not the data
        label = matrix.get_label()
        return Given(matrix.get_data(), label if label.size else None)


def _callback_of(module: Any) -> Callable[[Boost], Any]:
    """A callback of XGBoost's that tells of each iteration."""

    class Told(module.callback.TrainingCallback):  # type: ignore[misc]
        def __init__(self, boost: Boost) -> None:
            self._boost = boost

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model
            _tell(self._boost, epoch, evals_log)
            return False

    return Told


@guarded
def _tell(boost: Boost, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> None:
    values = {
        f"{name}/{metric}": float(found[-1])
        for name, metrics in evals_log.items()
        for metric, found in metrics.items()
    }
    if values:
        boost.iteration(epoch, values)


def _fitted(
    original: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Call:
    given = arguments_of(original, estimator, *args, **kwargs)
    data = Given(given["X"], given["y"])
    pairs = given.get("eval_set") or []
    names = [f"validation_{place}" for place in range(len(pairs))]
    params = {name: value for name, value in estimator.get_params().items() if value is not None}
    return Call(
        params=params,
        data=data,
        estimator=class_of(estimator),
        evaluated=evaluated_sets(pairs, names, data),
    )


def _outcome(model: Any) -> Outcome:
    booster = _booster_of(model)
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    width = max(int(learner["learner_model_param"][key]) for key in ("num_class", "num_target"))
    width = width if objective != "multi:softmax" else 1
    names = _classes_of(model) or list(range(width))
    best = {key: booster.attr(key) for key in ("best_iteration", "best_score")}
    return Outcome(
        model=model,
        booster=booster,
        task=TASKS.get(objective.partition(":")[0], ""),
        outputs=["score"] if width < 2 else [f"score_{name}" for name in names],
        scores={
            "iterations": booster.num_boosted_rounds(),
            **{key: float(value) for key, value in best.items() if value is not None},
        },
        importances={kind: _importances(booster, kind) for kind in KINDS},
    )


def _importances(booster: Any, kind: str) -> Mapping[str, float]:
    try:
        found: Mapping[str, float] = booster.get_score(importance_type=kind)
    except ValueError:  # linear boosters have weights alone
        return {}
    return dict(found)


def _booster_of(model: Any) -> Any:
    return model.get_booster() if hasattr(model, "get_booster") else model


def _classes_of(model: Any) -> list[Any]:
    found = getattr(model, "classes_", None)
    return list(found) if found is not None else []
