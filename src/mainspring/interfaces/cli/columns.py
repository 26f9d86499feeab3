"""What lists show of each kind of thing; what is not named here shows all its fields.

A name with dots lies inside a document.
"""

from __future__ import annotations

import msgspec

MEASURED = (
    "measurements.data_drift.share",
    "measurements.prediction_drift.psi",
    "measurements.performance.auc.value",
    "measurements.performance.rmse.value",
    "measurements.performance.coverage.share",
)
"""What a window is looked at for first; `--json` tells all that was measured."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "RunRow": ("id", "name", "experiment", "status", "author", "opened_at", "metrics"),
    "Model": ("name", "production", "versions", "risk_tier", "owner", "team", "aliases"),
    "ModelVersion": (
        "model", "version", "stage", "state", "engine", "run", "registered_by", "recorded_at",
    ),
    "SuiteRow": (
        "stage", "model", "risk_tier", "checks", "approvals", "approvers", "override_hours",
        "declared_by", "recorded_at", "digest",
    ),
    "Promotion": ("id", "model", "version", "stage", "state", "requested_by", "missing"),
    "Policy": (
        "name", "model", "stage", "proposed_by", "approved_by", "used", "max_promotions",
        "revoked", "expires_at",
    ),
    "Deployment": (
        "name", "model", "stage", "state", "served", "version", "url", "restarts", "message",
    ),
    "Alert": ("id", "severity", "state", "monitor", "deployment", "reason", "event_time"),
    "Incident": ("id", "severity", "state", "deployment", "summary", "opened_at", "resolution"),
    "Retraining": ("id", "model", "state", "level", "version", "reason", "outcome", "recorded_at"),
    "Monitor": (
        "name", "deployment", "kind", "metric", "threshold", "breaches", "windows", "action",
        "runbook",
    ),
    "Window": ("deployment", "starts_at", "version", "rows", "labels", *MEASURED),
    "StoredLabel": (
        "id", "request_id", "entity_key", "about", "value", "event_time", "recorded_at",
        "superseded_at",
    ),
    "Webhook": ("id", "name", "address", "events", "status", "signed"),
    "Delivery": ("id", "topic", "state", "recorded_at", "next_attempt_at", "attempts"),
    "Runbook": ("name", "written_by", "recorded_at"),
    "Point": ("step", "value", "at"),
    "Dataset": (
        "name", "digest", "rows", "columns", "splits", "roles", "runs", "source", "recorded_at",
    ),
    "Event": (
        "sequence", "recorded_at", "event_time", "kind", "subject_kind", "subject", "model",
        "actor", "outcome", "facts",
    ),
}  # fmt: skip


def columns_of(item: type) -> tuple[str, ...]:
    """The fields that a list of such things shows, the one that names it first."""
    known = COLUMNS.get(item.__name__)
    return known or tuple(field.name for field in msgspec.structs.fields(item))
