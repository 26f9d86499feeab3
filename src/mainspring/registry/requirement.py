"""What a workspace asks of the run behind a registration. Pure rules, no storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Requirement = Literal["data", "code", "environment"]
REQUIREMENTS: tuple[Requirement, ...] = ("data", "code", "environment")
"""In the order in which they are told."""

CODE_KEYS = ("commit", "digest", "source_digest")
"""Each identifies the code alone: a Git commit, or a digest over the sources."""

SUPPLY: Mapping[Requirement, str] = {
    "data": "data is missing: no dataset that it trained on; give it while the run is open, with "
    "run.log_dataset(rows, name=NAME, role='training'), or at any time with mlflow.log_input(dataset)",
    "code": "code is missing: neither a Git commit nor a digest of the sources; train from a script "
    "with ms.run or mainspring run, or with the tag mlflow.source.git.commit",
    "environment": "environment is missing: no packages with their versions; ms.run and mainspring "
    "run record them, for other clients: mainspring runs describe RUN --environment JSON",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run has told of itself, as far as a registration asks."""

    public_id: str
    attested: bool
    deleted: bool
    code: Mapping[str, Any]
    environment: Mapping[str, Any]
    has_data: bool


def lacking(required: Sequence[Requirement], run: Recorded | None) -> list[str]:
    """Everything that is missing, in words that say how to supply it."""
    if not required:
        return []
    if run is None:
        wanted = f"{named(required)} must be recorded by one: log the model in a run, register that"
        return [f"no run of this workspace is known to have made its files, and {wanted}"]
    if run.deleted:
        return [f"run {run.public_id} is deleted; restore it: mainspring runs restore RUN"]
    if not run.attested:
        why = "what was not recorded here while it ran proves nothing; train within reach of here"
        return [f"run {run.public_id} is unattested: {why}"]
    here = {
        "data": run.has_data,
        "code": any(_said(run.code.get(key)) for key in CODE_KEYS),
        "environment": _named_packages(run.environment.get("packages")),
    }
    return [SUPPLY[one] for one in REQUIREMENTS if one in required and not here[one]]


def named(required: Sequence[Requirement]) -> str:
    """The requirements as prose, in their order."""
    words = [one for one in REQUIREMENTS if one in required]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _named_packages(value: Any) -> bool:
    """Whether a package is told with its version: by name, or in the words of a requirements file."""
    if isinstance(value, Mapping):
        return any(_said(name) and _said(version) for name, version in value.items())
    told = value if isinstance(value, list) else []
    return any(_said(one) and "==" in one for one in told)
