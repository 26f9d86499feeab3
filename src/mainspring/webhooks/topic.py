"""What a webhook may listen to, and what it is told: the topics and payloads of MLflow's webhooks.

Receivers that were written for MLflow work as they are. Pure, no storage, no clock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

Topic = Literal[
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
]
TEXT_TAG = "mlflow.prompt.text"
INNER_TAGS = frozenset({"mlflow.prompt.is_prompt", "_mlflow_prompt_type"})
"""Tags by which MLflow's clients mark prompts; receivers are not told of them."""
_NAMES: dict[str, tuple[Topic | None, Topic]] = {
    "model.created": ("registered_model.created", "prompt.created"),
    "version.registered": ("model_version.created", "prompt_version.created"),
    "version.tagged": ("model_version_tag.set", "prompt_version_tag.set"),
    "version.untagged": ("model_version_tag.deleted", "prompt_version_tag.deleted"),
    "model.tagged": (None, "prompt_tag.set"),
    "model.untagged": (None, "prompt_tag.deleted"),
    "alias.set": ("model_version_alias.created", "prompt_alias.created"),
    "alias.removed": ("model_version_alias.deleted", "prompt_alias.deleted"),
}
"""The topic of each kind of event: for models, for prompts."""
KINDS = tuple(_NAMES)


def told(kind: str, model: str, facts: Mapping[str, Any]) -> tuple[Topic, dict[str, Any]] | None:
    """The topic and the data of an event; None if nobody is told of it."""
    of_prompt = facts.get("of") == "prompt"
    topic = _NAMES[kind][of_prompt]
    if topic is None:
        return None
    tags = {k: v for k, v in facts.get("tags", {}).items() if not (of_prompt and k in INNER_TAGS)}
    if kind == "model.created":
        return topic, {"name": model, "tags": tags, "description": facts.get("description", "")}
    if kind == "version.registered":
        return topic, _registered(model, facts, tags, of_prompt=of_prompt)
    data = {"name": model}
    if "version" in facts:
        data["version"] = str(facts["version"])
    return topic, data | {name: facts[name] for name in ("key", "value", "alias") if name in facts}


def _registered(
    model: str, facts: Mapping[str, Any], tags: dict[str, str], *, of_prompt: bool
) -> dict[str, Any]:
    data: dict[str, Any] = {"name": model, "version": str(facts["version"])}
    if of_prompt:
        data["template"] = tags.pop(TEXT_TAG, None)
    else:
        data |= {"source": facts.get("source", ""), "run_id": facts.get("run") or None}
    return data | {"tags": tags, "description": facts.get("description") or None}


def example(topic: str) -> dict[str, Any]:
    """What a webhook is told when somebody tries it."""
    entity, _, action = topic.partition(".")
    kind = "prompt" if entity.startswith("prompt") else "model"
    data: dict[str, Any] = {"name": f"example_{kind}"}
    if entity.endswith("_tag"):
        data["key"] = "example_key"
        if action == "set":
            data["value"] = "example_value"
    elif entity.endswith("_alias"):
        data["alias"] = "example_alias"
    else:
        words = {"registered_model": "registered model", "model_version": "model version"}
        words |= {"prompt": "prompt", "prompt_version": "prompt version"}
        data["tags"] = {"example_key": "example_value"}
        data["description"] = f"An example {words[entity]}"
    if "version" in entity and not (entity == "model_version_alias" and action == "deleted"):
        data["version"] = "1"
    if topic == "prompt_alias.created":
        data["version"] = "1"
    if entity == "model_version":
        data |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if entity == "prompt_version":
        data["template"] = "Hello {{name}}!"
    return data


def headers(delivery: str, timestamp: int, body: str, secret: str | None) -> dict[str, str]:
    """The headers of a delivery; with a secret, the receiver can tell that it is ours."""
    found = {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": str(timestamp),
    }
    if secret:
        signed = f"{delivery}.{timestamp}.{body}".encode()
        mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
        found["X-MLflow-Signature"] = f"v1,{base64.b64encode(mac).decode()}"
    return found
