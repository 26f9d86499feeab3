"""The one place that imports by name: commands on first use, and what stands above this floor."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SERVE = "mainspring.server:serve"
PLAY = "mainspring.demo.play:main"
ARGUMENTS = "mainspring.demo.arguments:DemoArguments"
CONNECT = "mainspring.interfaces.sdk.connection:connect"
SYNC = "mainspring.recording.sync:sync"
AUDIT = "mainspring.interfaces.cli.audit:audit"
DATABASE = "mainspring.core.database:Database"
REVISION_OF = "mainspring.migrations:revision_of"
REVISIONS = "mainspring.migrations:steps"
MIGRATE = "mainspring.migrations:bring_up_to_date"
STANDALONE = "mainspring.deployment.standalone:Standalone"
PREPARE = "mainspring.deployment.standalone:prepare"
FETCHED = "mainspring.deployment.standalone:fetched_version"
LIMITS = "mainspring.serving.snapshot:Limits"
LOG_POLICY = "mainspring.serving.log_policy:LogPolicy"


def load(place: str) -> Any:
    """The attribute that `module:attribute` names."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
