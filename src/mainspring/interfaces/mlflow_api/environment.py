"""The packages behind a model, which MLflow's clients leave beside it and not with its run."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call
from mainspring.registry import requirement_contract
from mainspring.tracking import artifact_contract, model_contract, surroundings_contract

FILE = "requirements.txt"
MOST_BYTES = 1 << 20
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*===?\s*([^\s;#,]+)")


def note_environment(call: Call, place: str, prefix: str) -> None:
    """Let a run that says nothing of its packages say what stands beside its model, if it counts."""
    if "environment" not in ask(call, requirement_contract.show_requirements).require:
        return
    # Another's run, or one without such a file: then the registration is refused, and says why.
    with suppress(MainspringError):
        run = _run_of(call, place)
        packages = _packages(call, place, f"{prefix.strip('/')}/{FILE}".lstrip("/"))
        if run is not None and packages:
            said = {"packages": packages, "source": FILE}
            ask(call, surroundings_contract.describe_run, run=run, environment=said)


def _run_of(call: Call, place: str) -> str | None:
    kind, _, public_id = place.partition("/")
    if kind == "runs":
        return public_id
    return ask(call, model_contract.show_trained, id=public_id).run


def _packages(call: Call, place: str, path: str) -> dict[str, str]:
    file: Any = ask(call, artifact_contract.show_artifact, place=place, path=path)
    if file.size > MOST_BYTES:
        return {}
    text = b"".join(call.blobs.read(file.digest)).decode(errors="replace")
    return packages_of(text)


def packages_of(text: str) -> dict[str, str]:
    """The pinned packages of a requirements file, by name."""
    found = (_PINNED.match(line.strip()) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match is not None}
