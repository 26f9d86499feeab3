"""Labels that come after a day was measured still count for that day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa

from mainspring.core.clock import to_micros
from mainspring.core.errors import NotFound
from mainspring.core.operation import FileClient
from mainspring.deployment.contract import Deployment
from mainspring.monitoring import contract
from mainspring.monitoring.contract import ListOfDeployment, ReviseWindow, Window
from mainspring.monitoring.coverage import HOUR
from mainspring.monitoring.joining import NEVER
from mainspring.monitoring.judgement import Judge
from mainspring.monitoring.label_contract import ReadLabels
from mainspring.monitoring.labelled import Known, labels_known
from mainspring.monitoring.reference import reference_of

MOST_WINDOWS = 1000


def revise_windows(
    client: FileClient,
    deployment: Deployment,
    asked_at: dt.datetime,
    until: dt.datetime,
    day_starts_at: int,
) -> None:
    """Measure again the days, not older than labels are waited for, that labels have come for since.

    `asked_at` is a moment of the server's clock, `until` one of the data's, `day_starts_at` in
    microseconds. The oldest come first: the newest then says that all before it know what it knows.
    """
    assert deployment.log_folder is not None
    log = Path(deployment.log_folder)
    fresh, windows = _fresh(client, deployment.name, asked_at)
    touched = _touched(log, fresh, windows)
    if not touched:
        return
    wanted = ReadLabels(
        deployment=deployment.name,
        known_from=touched[0].starts_at,
        known_until=until,
        as_known_at=asked_at,
    )
    judge = Judge(log, labels_known(client, wanted), until)
    for window in touched:
        try:
            reference = reference_of(client, deployment.model, window.version, day_starts_at)
        except NotFound:
            continue  # what it was compared with has been freed: it stays as it was measured
        found = judge.all(reference, (window.starts_at, window.ends_at))
        if found != window.measurements.get("performance_of_day"):
            request = ReviseWindow(
                deployment=deployment.name,
                starts_at=window.starts_at,
                labels=found["labelled"],
                labels_known_at=asked_at,
                performance_of_day=found,
            )
            client.call(contract.revise_window, request)


def _fresh(
    client: FileClient, deployment: str, asked_at: dt.datetime
) -> tuple[Known, list[Window]]:
    """Labels that no window knows yet, and the windows they may be for, the oldest first."""
    request = ListOfDeployment(deployment=deployment, limit=1)
    newest = client.call(contract.list_windows, request)
    seen = (newest[0].labels_known_at or newest[0].recorded_at) if newest else asked_at
    wanted = ReadLabels(deployment=deployment, recorded_after=seen, as_known_at=asked_at)
    fresh = labels_known(client, wanted)
    if not (newest and fresh.labels.num_rows):
        return fresh, []
    days = int(fresh.rule.deadline_hours // 24) + 2
    request = ListOfDeployment(deployment=deployment, limit=min(days, MOST_WINDOWS))
    # Fresh labels came after the newest day had ended: one that came in time is about a later moment.
    first = newest[0].ends_at - fresh.rule.deadline_hours * HOUR
    listed = client.call(contract.list_windows, request)
    return fresh, [window for window in reversed(listed) if window.ends_at > first]


def _touched(log: Path, fresh: Known, windows: list[Window]) -> list[Window]:
    """The windows with a prediction that one of the labels is about."""
    if not windows:
        return []
    rows, truth = fresh.predictions(log, windows[0].starts_at, windows[-1].ends_at, [])
    times = rows["event_time"].cast(pa.int64()).to_numpy()[truth.known_at != NEVER]

    def has_one(window: Window) -> bool:
        inside = (times >= to_micros(window.starts_at)) & (times < to_micros(window.ends_at))
        return bool(inside.any())

    return [window for window in windows if has_one(window)]
