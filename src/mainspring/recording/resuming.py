"""Where a run goes on that was recorded before: the server knows, and the spool what it has not sent."""

from __future__ import annotations

from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.operation import FileClient
from mainspring.recording import records
from mainspring.recording.records import MEASURED, Values
from mainspring.recording.spool import SEGMENT, SpoolFolder, read_frames
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun


def next_steps(client: FileClient, folder: SpoolFolder, run: str) -> tuple[int, int]:
    """The next step of the training, and of measurements; 0 if nobody can say."""
    found = [0, 0]
    for key, step in (*_arrived(client, run), *_waiting(folder)):
        kind = key.startswith(MEASURED)
        found[kind] = max(found[kind], step + 1)
    return found[0], found[1]


def _arrived(client: FileClient, run: str) -> list[tuple[str, int]]:
    try:
        known = client.call(contract.show_run, NameRun(run=run))
    except MainspringError:
        return []
    return [(metric.key, metric.last_step) for metric in known.metrics]


def _waiting(folder: SpoolFolder) -> list[tuple[str, int]]:
    steps: dict[str, int] = {}
    for segment in folder.segments():
        for payload, _ in read_frames(segment, 0, 2 * SEGMENT):
            try:
                record = records.decode(payload)
            except Invalid:
                continue  # of another release; shipping says so
            if isinstance(record, Values):
                for key in record.values:
                    steps[key] = max(steps.get(key, 0), record.step)
    return list(steps.items())
