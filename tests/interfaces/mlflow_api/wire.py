"""A request as it stands on the wire, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

API, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
PARTS = "/api/2.0/mlflow-artifacts/mpu"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return msgspec.json.decode(self.body)


class Wire(Protocol):
    """Sends a request: bytes as they are, anything else as JSON."""

    def __call__(self, method: str, target: str, body: object = None, **query: object) -> Answer:
        """Send it and read the answer."""
        ...


def done(answer: Answer) -> Any:
    """What was answered when all went well."""
    assert answer.status == 200, answer.body
    return answer.json if answer.body else None


def refused(answer: Answer, status: int, code: str, words: str = "") -> str:
    """The message of a refusal, which has the code and the words."""
    assert answer.status == status, answer.body
    assert answer.json["error_code"] == code
    message: str = answer.json["message"]
    assert words in message
    return message


def experiment(wire: Wire, name: str = "delays", **more: object) -> str:
    """Create an experiment; its id."""
    made: str = done(wire("POST", f"{API}/experiments/create", {"name": name, **more}))[
        "experiment_id"
    ]
    return made


def run(wire: Wire, experiment_id: str = "0") -> dict[str, Any]:
    """Create a run; its info."""
    made = wire("POST", f"{API}/runs/create", {"experiment_id": experiment_id, "start_time": 1})
    info: dict[str, Any] = done(made)["run"]["info"]
    return info


def logged_model(wire: Wire, **more: object) -> dict[str, Any]:
    """Create a logged model; its info."""
    made = done(wire("POST", f"{API}/logged-models", {"experiment_id": "0", **more}))
    info: dict[str, Any] = made["model"]["info"]
    return info
