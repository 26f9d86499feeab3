"""The seam to people outside: whoever can tell them of an alert."""

from __future__ import annotations

from typing import Protocol

from mainspring.monitoring.contract import Alert


class Notifier(Protocol):
    """Tells people outside Mainspring about an alert."""

    def tell(self, alert: Alert, step: int) -> None:
        """Tell of the alert at a step of its escalation; raises if nobody could be told."""
        ...
