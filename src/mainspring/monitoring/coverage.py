"""Of how many predictions the truth is known, how late it came, and what never came."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.core.clock import MICROSECOND, to_micros
from mainspring.core.errors import Unavailable
from mainspring.monitoring.joining import (
    EARLY,
    NAMES,
    NEVER,
    Ask,
    all_labels,
    resolve,
    truth_of,
)
from mainspring.monitoring.label_contract import (
    Coverage,
    LabelCoverage,
    LabelRule,
    ReadCoverage,
    ReadLabels,
)
from mainspring.monitoring.prediction_log import read_predictions

PART = dt.timedelta(days=7)
"""How much of the log is looked at at once: memory is bounded by a part, not by what is asked for."""
HOUR = dt.timedelta(hours=1)
NOWHERE = Path("/nonexistent")
"""The log of a deployment that never ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A stretch, and what has to be known to tell of it."""

    request: ReadCoverage
    rule: LabelRule
    log: str | None
    now: dt.datetime

    @property
    def rules(self) -> LabelRule:
        """The deployment's rule, with what the request says instead."""
        own, rule = self.request, self.rule
        horizon, deadline = own.horizon_hours, own.deadline_hours
        return msgspec.structs.replace(
            rule,
            horizon_hours=rule.horizon_hours if horizon is None else horizon,
            deadline_hours=rule.deadline_hours if deadline is None else deadline,
        )

    @property
    def at(self) -> dt.datetime:
        """The moment by which a label has come or not."""
        return self.request.known_until or self.request.as_known_at or self.now


def coverage_of(
    times: np.ndarray, known_at: np.ndarray, at: dt.datetime, deadline: dt.timedelta
) -> Coverage:
    """Count predictions by their labels.

    `times` and `known_at` are microseconds UTC, of the predictions and of their labels (NEVER: none).
    What has no label is pending until its deadline has passed at the moment `at`, then missing. A
    label that came before its prediction has a negative delay.
    """
    labelled = known_at != NEVER
    count = int(np.count_nonzero(labelled))
    overdue = ~labelled & (times + deadline // MICROSECOND < to_micros(at))
    missing = int(np.count_nonzero(overdue))
    delays = (known_at[labelled] - times[labelled]) * 1e-6
    return Coverage(
        predictions=len(times),
        labelled=count,
        share=count / len(times) if len(times) else None,
        pending=len(times) - count - missing,
        missing=missing,
        median_delay_s=float(np.median(delays)) if count else None,
    )


def of_stretch(ask: Ask, asked: Asked) -> LabelCoverage:
    """Join the labels with the log of a stretch, and count; a log that cannot be read is said."""
    try:
        return _counted(ask, asked)
    except (OSError, pa.ArrowException) as error:
        raise Unavailable(
            f"the prediction log {asked.log} cannot be read here: {error}",
            fix="it is read on the machine that serves: is the file that it names whole?",
        ) from error


def _counted(ask: Ask, asked: Asked) -> LabelCoverage:
    """Part by part."""
    request, rules = asked.request, asked.rules
    wanted = ReadLabels(
        deployment=request.deployment,
        known_from=_before(request.since, EARLY),
        known_until=request.known_until,
        as_known_at=request.as_known_at,
    )
    labels = all_labels(ask, wanted)
    log = Path(asked.log) if asked.log else NOWHERE
    horizon = rules.horizon_hours * HOUR
    found = np.zeros(labels.num_rows, dtype=bool)
    times, known_at = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    start = request.since
    while start < request.until:
        end = min(_after(start, PART), request.until)
        rows = read_predictions(log, start, _after(end, max(horizon, EARLY)), NAMES)
        resolved = resolve(rows, labels, horizon)
        found |= resolved >= 0
        moments = rows["event_time"].cast(pa.int64()).to_numpy()
        mine = moments < to_micros(end)
        times.append(moments[mine])
        known_at.append(truth_of(rows.num_rows, resolved, labels).known_at[mine])
        start = end
    counted = coverage_of(
        np.concatenate(times), np.concatenate(known_at), asked.at, rules.deadline_hours * HOUR
    )
    return LabelCoverage(
        **msgspec.structs.asdict(counted),
        deployment=request.deployment,
        since=request.since,
        until=request.until,
        unmatched=_unmatched(log, labels.filter(pa.array(~found)), asked),
        horizon_hours=rules.horizon_hours,
        deadline_hours=rules.deadline_hours,
    )


def _unmatched(log: Path, labels: pa.Table, asked: Asked) -> int:
    """How many of the labels about the stretch have no prediction before it either.

    One by request id is about the stretch in which it became known: its prediction is looked for as
    far back as labels are waited for. Values of one name count once.
    """
    request, rules = asked.request, asked.rules
    moment = pc.coalesce(labels["about"], labels["event_time"])
    inside = pc.and_(
        pc.greater_equal(moment, to_micros(request.since)),
        pc.less(moment, to_micros(request.until)),
    )
    labels = labels.filter(inside)
    horizon = rules.horizon_hours * HOUR
    end, first = request.since, _before(request.since, rules.deadline_hours * HOUR)
    while labels.num_rows and end > first:
        start = max(_before(end, PART), first)
        rows = read_predictions(log, start, end, NAMES)
        # Whether there is a prediction, not which: a part may hold an older one than the latest.
        labels = labels.filter(pa.array(resolve(rows, labels, horizon) < 0))
        end = start
    names = labels.group_by(["request_id", "entity_key", "about"]).aggregate([])
    return int(names.num_rows)


def _before(moment: dt.datetime, span: dt.timedelta) -> dt.datetime:
    """So much earlier, or the first moment that can be said."""
    first = dt.datetime.min.replace(tzinfo=dt.UTC)
    return moment - span if moment - first > span else first


def _after(moment: dt.datetime, span: dt.timedelta) -> dt.datetime:
    """So much later, or the last moment that can be said."""
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    return moment + span if last - moment > span else last
