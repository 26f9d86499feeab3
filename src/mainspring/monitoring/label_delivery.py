"""Labels go to the server in requests of bounded size, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from mainspring.core.errors import Invalid
from mainspring.core.operation import Client
from mainspring.monitoring.label_contract import (
    MOST_LABELS,
    Label,
    RecordedLabels,
    RecordLabels,
    record_labels,
)


def record(client: Client, deployment: str, labels: Iterable[Label]) -> RecordedLabels:
    """Record them in their order; again is harmless, so a delivery that broke off is sent again.

    If reading the next label fails, those before the last request are recorded, and the error says so.
    """
    done = RecordedLabels(count=0, new=0, doubled=0, corrected=0)
    left = iter(labels)
    while True:
        try:
            part = list(islice(left, MOST_LABELS))
        except Invalid as error:
            sent = done.count + done.doubled
            raise _after(error, sent) from None
        if not part:
            return done
        found = client.call(record_labels, RecordLabels(deployment=deployment, labels=part))
        done = RecordedLabels(
            count=done.count + found.count,
            new=done.new + found.new,
            doubled=done.doubled + found.doubled,
            corrected=done.corrected + found.corrected,
        )


def _after(error: Invalid, sent: int) -> Invalid:
    before = f"the {sent:,} labels before are recorded" if sent else "nothing is recorded yet"
    return Invalid(
        error.message,
        field=error.field,
        fix=f"mend it and record all of it again: {before}, and again is harmless",
    )
