"""What a check is: it looks at the evidence, by declared parameters, and says what it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.validation.statistics import Estimate

Outcome = Literal["passed", "failed", "not_enough_data"]
Task = Literal["binary", "regression"]


class Model(Protocol):
    """A loaded model, of whatever engine."""

    @property
    def signature(self) -> Signature: ...

    def predict(self, inputs: dict[str, np.ndarray], /) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in words, and the numbers behind it."""

    outcome: Outcome
    reason: str
    measurements: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Inputs whose truth is known."""

    inputs: dict[str, np.ndarray]
    label: np.ndarray
    request_ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a check may look at."""

    candidate: Model
    champion: Model | None
    holdout: LabelledRows
    training_profile: dict[str, Any] | None
    task: Task


Check = Callable[[Evidence, Mapping[str, Any]], Finding]

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class ParametrisedCheck(Generic[P]):
    """A check that reads its parameters strictly before it looks at anything."""

    parameters: type[P]
    rule: Callable[[Evidence, P], Finding]

    def __call__(self, evidence: Evidence, parameters: Mapping[str, Any]) -> Finding:
        return self.rule(evidence, read_parameters(self.parameters, parameters))


def takes(
    parameters: type[P],
) -> Callable[[Callable[[Evidence, P], Finding]], ParametrisedCheck[P]]:
    """Make a rule over typed parameters a check over JSON ones."""

    def declare(rule: Callable[[Evidence, P], Finding]) -> ParametrisedCheck[P]:
        return ParametrisedCheck(parameters, rule)

    return declare


def parameters_of(check: Check) -> type[msgspec.Struct] | None:
    """The type that the check's parameters are read into, if it declares one."""
    return check.parameters if isinstance(check, ParametrisedCheck) else None


def read_parameters(wanted: type[P], given: Mapping[str, Any]) -> P:
    """Read JSON parameters, so that a suite can be refused when it is declared."""
    try:
        return msgspec.convert(dict(given), wanted)
    except msgspec.ValidationError as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(wanted))
        raise Invalid(
            f"the parameters {dict(given)!r} do not fit: {error}",
            field=_field_in(str(error)),
            fix=f"this check takes {known}",
        ) from error


def scores(model: Model, rows: LabelledRows) -> np.ndarray:
    """The model's first output for each row, as finite numbers."""
    name = model.signature.outputs[0].name
    score = np.asarray(model.predict(rows.inputs)[name], dtype=np.float64).reshape(-1)
    if len(score) != len(rows):
        raise Invalid(
            f"the model gave {len(score)} values of {name!r} for {len(rows)} rows", field=name
        )
    if not np.isfinite(score).all():
        bad = int(np.count_nonzero(~np.isfinite(score)))
        raise Invalid(f"the model gave {bad} values of {name!r} that are not finite", field=name)
    return score


def judge(estimate: Estimate, limit: float, *, higher_is_better: bool) -> Outcome:
    """Pass or fail only when the whole interval lies on one side of the limit."""
    if higher_is_better:
        passed, failed = estimate.low >= limit, estimate.high < limit
    else:
        passed, failed = estimate.high <= limit, estimate.low > limit
    return "passed" if passed else "failed" if failed else "not_enough_data"


def rows_to_decide(estimate: Estimate, limit: float) -> int | None:
    """How many such rows would part the interval from the limit, if the estimate is right."""
    distance = estimate.value - limit
    if distance == 0:
        return None
    bound = estimate.low if distance > 0 else estimate.high
    # An interval shrinks with the square root of the rows.
    return int(np.ceil(estimate.n * ((estimate.value - bound) / distance) ** 2))


def _field_in(message: str) -> str | None:
    path = re.search(r"`\$\.(\w+)", message) or re.search(r"field `(\w+)`", message)
    return path.group(1) if path else None
