"""Every table of every stage, imported so that the schema is whole."""

from mainspring.administration.tables import (
    file_table,
    grant_table,
    principal_table,
    token_table,
)
from mainspring.core.event_log import event_table, workspace_table
from mainspring.core.jobs import job_table
from mainspring.deployment.store import deployment_table
from mainspring.governance.tables import condemned_table
from mainspring.incidents.store import incident_table
from mainspring.monitoring.tables import alert_table, monitor_table
from mainspring.registry.tables import model_table, version_table
from mainspring.retraining.store import retraining_policy_table, retraining_table
from mainspring.tracking.tables import run_table
from mainspring.webhooks.store import delivery_table, webhook_table

__all__ = [
    "alert_table",
    "condemned_table",
    "delivery_table",
    "deployment_table",
    "event_table",
    "file_table",
    "grant_table",
    "incident_table",
    "job_table",
    "model_table",
    "monitor_table",
    "principal_table",
    "retraining_policy_table",
    "retraining_table",
    "run_table",
    "token_table",
    "version_table",
    "webhook_table",
    "workspace_table",
]
