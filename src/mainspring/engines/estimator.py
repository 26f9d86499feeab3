"""What a fitted scikit-learn estimator takes: read off what fitting left in it, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column

INPUT = "input"
Levels = Mapping[str, tuple[Any, ...]]
"""The features that are text, with the levels that a transformer learnt; () if any text is taken."""


def unwrapped(estimator: Any) -> Any:
    """What does the work in a search: the estimator that it found best."""
    return getattr(estimator, "best_estimator_", estimator)


def steps(estimator: Any) -> list[Any]:
    """The steps of a pipeline, those of pipelines in it too; anything else is its only step."""
    inner = getattr(estimator, "steps", None)
    if not isinstance(inner, list):
        return [estimator]
    parts = [part for _, part in inner if part is not None and part != "passthrough"]
    return [step for part in parts for step in steps(unwrapped(part))]


def final(estimator: Any) -> Any:
    """The estimator that predicts: a pipeline's last step."""
    return steps(estimator)[-1]


def feature_names(estimator: Any) -> list[str] | None:
    """The columns of the data frame that it was fitted on, if it was one."""
    found = getattr(estimator, "feature_names_in_", None)
    return None if found is None else [str(name) for name in found]


def input_columns(estimator: Any) -> tuple[Column, ...]:
    """One column for each feature of a data frame, else one matrix; errors: not fitted."""
    names = feature_names(estimator)
    if names is not None:
        text = text_features(estimator, names)
        return tuple(_feature(name, text) for name in names)
    first = steps(estimator)[0]
    if hasattr(first, "vocabulary_") or type(first).__name__ == "HashingVectorizer":
        return (Column(name=INPUT, datatype="BYTES"),)
    width = getattr(estimator, "n_features_in_", None)
    if not isinstance(width, int) or width < 1:
        raise Invalid(
            f"the {type(estimator).__name__} does not say how many features it takes",
            field="source",
            fix="fit it before it is saved, or register it with a signature",
        )
    if names_of_text := text_features(estimator, [str(place) for place in range(width)]):
        # One matrix cannot hold text and numbers: numbers are given as text where there is any.
        return (Column(name=INPUT, datatype="BYTES", shape=(width,)),) if names_of_text else ()
    return (Column(name=INPUT, datatype="FP64", shape=(width,), nullable=takes_missing(first)),)


def takes_missing(step: Any) -> bool:
    """Whether the step says that it can be given NaN."""
    tags = getattr(step, "__sklearn_tags__", None)
    try:
        return bool(tags().input_tags.allow_nan) if tags is not None else True
    except AttributeError:  # an estimator of another library, written for another release
        return True


def _feature(name: str, text: Levels) -> Column:
    if name not in text:
        return Column(name=name, datatype="FP64", nullable=True)
    levels = tuple(level for level in text[name] if isinstance(level, str))
    return Column(name=name, datatype="BYTES", nullable=True, categories=levels)


def text_features(estimator: Any, names: list[str]) -> Levels:
    """The features that a transformer at the beginning shows to be text, with their levels."""
    found: dict[str, tuple[Any, ...]] = {}
    for step in steps(unwrapped(estimator)):
        if hasattr(step, "transformers_"):
            for _, part, chosen in step.transformers_:
                if not isinstance(part, str):
                    found |= text_features(part, chosen_names(chosen, names))
            break
        found |= _shown_by(step, names)
        if hasattr(step, "categories_") or not hasattr(step, "statistics_"):
            break  # only filling gaps leaves the features as they were
    return found


def _shown_by(step: Any, names: list[str]) -> dict[str, tuple[Any, ...]]:
    if hasattr(step, "vocabulary_"):
        return dict.fromkeys(names, ())
    learnt = getattr(step, "categories_", None)
    if isinstance(learnt, list):
        return {
            name: tuple(levels.tolist())
            for name, levels in zip(names, learnt, strict=False)
            if levels.dtype.kind in "OUT" and any(isinstance(level, str) for level in levels)
        }
    filled = getattr(step, "statistics_", ())
    return {
        name: (value,) for name, value in zip(names, filled, strict=False) if isinstance(value, str)
    }


def chosen_names(chosen: Any, names: list[str]) -> list[str]:
    """The features that a `ColumnTransformer` gives to one of its parts: named, numbered or flagged."""
    if isinstance(chosen, str):
        return [chosen]
    if isinstance(chosen, slice):
        return _sliced(chosen, names)
    items: Iterable[Any] = [chosen] if isinstance(chosen, int) else chosen
    listed = list(items)
    if listed and all(type(item).__name__ in ("bool", "bool_") for item in listed):
        return [name for name, flag in zip(names, listed, strict=False) if flag]
    return [item if isinstance(item, str) else names[int(item)] for item in listed]


def _sliced(chosen: slice, names: list[str]) -> list[str]:
    if not isinstance(chosen.start, str) and not isinstance(chosen.stop, str):
        return names[chosen]
    first = names.index(chosen.start) if chosen.start is not None else 0
    last = names.index(chosen.stop) if chosen.stop is not None else len(names) - 1
    return names[first : last + 1]  # a slice of names has its end in it
