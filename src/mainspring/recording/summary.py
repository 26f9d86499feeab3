"""What a script says of a run as a whole, under the name that W&B's users write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Summary(dict[str, Any]):
    """Results of a run as a whole; each is logged as a metric, or as a tag if it is no number.

    >>> run.summary["best_auc"] = 0.74
    """

    def __init__(self, changed: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._changed({key: value})

    def update(self, *entries: Any, **named: Any) -> None:
        """Add or replace results."""
        added: dict[str, Any] = {}
        for one in entries:
            added.update(one if isinstance(one, Mapping) else dict(one))
        added.update(named)
        super().update(added)
        self._changed(added)
