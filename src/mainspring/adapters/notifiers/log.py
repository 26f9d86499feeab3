"""Tell of alerts in the server's own log, where `mainspring up` prints it."""

from __future__ import annotations

import logging

from mainspring.monitoring.contract import Alert

log = logging.getLogger("mainspring.alerts")


class LogNotifier:
    """Writes one line for each step of an alert."""

    def tell(self, alert: Alert, step: int) -> None:
        """Write the line."""
        log.warning(
            "[%s] %s on %s: %s (step %d; runbook %s)",
            alert.severity,
            alert.monitor,
            alert.deployment,
            alert.reason,
            step,
            alert.runbook_url,
        )
