"""Which prediction a label is about: by request id, or the latest of an entity at or before a moment.

The second is an as-of join, as feature stores do it from the other side: a prediction made after the
moment that a label is about never gets it. Both cost a sort, not a comparison of all with all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.core.clock import MICROSECOND
from mainspring.monitoring.label_contract import LabelColumns, ReadLabels

NAMES = ("request_id", "event_time", "recorded_at", "entity_key")
"""The columns of the prediction log that a label finds its prediction by."""
EARLY = dt.timedelta(days=1)
"""How much earlier than its prediction a label by request id may say that it became known: clocks
differ, and what is true may be known before the prediction is written down."""
PAGE = 20_000
NEVER = np.iinfo(np.int64).min
"""In `Truth.known_at`: no label has come."""
LABELS = pa.schema(
    [
        ("id", pa.int64()),
        ("request_id", pa.string()),
        ("entity_key", pa.string()),
        ("about", pa.int64()),
        ("value", pa.float64()),
        ("event_time", pa.int64()),
        ("recorded_at", pa.int64()),
    ]
)
Ask = Callable[[ReadLabels], LabelColumns]


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of each prediction, row by row."""

    value: np.ndarray
    """FP64; NaN where no label has come."""
    known_at: np.ndarray
    """Microseconds UTC of the data's clock; NEVER where no label has come."""

    def where(self, chosen: np.ndarray) -> Truth:
        """Of the chosen predictions alone."""
        return Truth(self.value[chosen], self.known_at[chosen])


def all_labels(ask: Ask, wanted: ReadLabels) -> pa.Table:
    """The labels of all pages, in the order in which they were recorded; times are microseconds."""
    pages: list[pa.Table] = [LABELS.empty_table()]
    after: int | None = 0
    while after is not None:
        request = ReadLabels(
            deployment=wanted.deployment,
            known_from=wanted.known_from,
            known_until=wanted.known_until,
            as_known_at=wanted.as_known_at,
            recorded_after=wanted.recorded_after,
            history=True,
            after=after,
            limit=PAGE,
        )
        page = ask(request)
        columns = (
            page.ids,
            page.request_ids,
            page.entity_keys,
            page.abouts,
            page.values,
            page.event_times,
            page.recorded_ats,
        )
        pages.append(pa.table([*map(pa.array, columns, LABELS.types)], schema=LABELS))
        after = page.next
    found = pa.concat_tables(pages)
    return found.sort_by([("recorded_at", "ascending"), ("id", "ascending")])


def by_entity(labels: pa.Table) -> bool:
    """Whether any of the labels names an entity."""
    return bool(labels["entity_key"].null_count < labels.num_rows)


def resolve(predictions: pa.Table, labels: pa.Table, horizon: dt.timedelta) -> np.ndarray:
    """For each label the row of the prediction that it is about, -1 if it is not among them.

    A label by entity takes the latest prediction of the entity at or before `about`, if that is not
    older than the horizon; of several at the same moment the one recorded last, then the one with
    the last request id.
    """
    found = _places(labels["request_id"], predictions["request_id"])
    if not (by_entity(labels) and predictions.num_rows):
        return found
    entities = predictions["entity_key"].cast(pa.string())
    keys = pc.unique(entities.drop_null())
    asked = _Moments(_places(labels["entity_key"], keys), _micros(labels["about"]))
    there = _Moments(_places(entities, keys), _micros(predictions["event_time"]))
    # Stable: of the same moment they stay in the order of the log, which is that of request ids.
    order = np.lexsort((_micros(predictions["recorded_at"]), there.times, there.entities))
    latest = _as_of(there.at(order), asked, horizon // MICROSECOND)
    return np.where(latest >= 0, order[latest], found)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Entities, by number, and moments in microseconds."""

    entities: np.ndarray
    times: np.ndarray

    def at(self, order: np.ndarray) -> _Moments:
        return _Moments(self.entities[order], self.times[order])


def _as_of(there: _Moments, asked: _Moments, horizon: int) -> np.ndarray:
    """The last place in `there`, which is sorted, at or before each that is asked for, or -1."""
    ranks = np.unique(np.concatenate([there.times, asked.times]))
    here = there.entities * len(ranks) + np.searchsorted(ranks, there.times)
    wanted = asked.entities * len(ranks) + np.searchsorted(ranks, asked.times)
    place = np.searchsorted(here, wanted, side="right") - 1
    same = (place >= 0) & (asked.entities >= 0) & (there.entities[place] == asked.entities)
    near = asked.times - there.times[place] <= horizon
    return np.where(same & near, place, -1)


def truth_of(rows: int, resolved: np.ndarray, labels: pa.Table) -> Truth:
    """What so many predictions turned out to be; of several labels the one recorded last counts."""
    truth = Truth(np.full(rows, np.nan), np.full(rows, NEVER))
    told = resolved >= 0
    # Labels are in the order of recording, and of several values for a place numpy keeps the last.
    truth.value[resolved[told]] = labels["value"].to_numpy()[told]
    truth.known_at[resolved[told]] = labels["event_time"].to_numpy()[told]
    return truth


def _places(values: pa.ChunkedArray, among: pa.ChunkedArray) -> np.ndarray:
    """Where each value is in `among`, -1 if it is not or is null."""
    known = among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among
    found = pc.index_in(values, value_set=known, skip_nulls=True)
    places: np.ndarray = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return places


def _micros(times: pa.ChunkedArray) -> np.ndarray:
    micros: np.ndarray = pc.fill_null(times.cast(pa.int64()), 0).to_numpy()
    return micros
