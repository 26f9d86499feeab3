"""Is a label news, a double or a correction? Pure rules, no storage, no clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.monitoring.label_contract import Label

Named = tuple[str | None, str | None, dt.datetime | None]
"""What a label names its prediction by: request id, or entity key and the time it is about."""


def named(label: Label) -> Named:
    """The name by which a label is doubled or corrected."""
    return label.request_id, label.entity_key, label.about


@dataclass(frozen=True, slots=True)
class Told:
    """A label that was told before; `key` is the row's, None if it comes from the same request."""

    key: int | None
    value: float
    event_time: dt.datetime


@dataclass(slots=True)
class News:
    """What is to be kept of the labels of a request, and what it replaces."""

    kept: list[tuple[Label, bool]] = field(default_factory=list)
    """Each with whether a later one of the same request corrects it."""
    superseded: list[int] = field(default_factory=list)
    """The keys of rows that are corrected."""
    doubled: int = 0
    corrected: int = 0

    @property
    def new(self) -> int:
        """How many name a prediction that had no label."""
        return len(self.kept) - self.corrected


def news(labels: Iterable[Label], told: Mapping[Named, Sequence[Told]]) -> News:
    """Sort labels out, in their order; `told` has what is kept of each name, the newest last.

    A label is doubled if the newest of its name has its value, or if any of its name has its value
    and its event time: a file that is sent again must not undo a correction that came after it.
    """
    found = News()
    histories = {name: list(known) for name, known in told.items()}
    places: dict[Named, int] = {}
    for label in labels:
        name = named(label)
        history = histories.setdefault(name, [])
        if _is_told(label, history):
            found.doubled += 1
            continue
        if history:
            found.corrected += 1
            newest = history[-1].key
            if newest is None:
                found.kept[places[name]] = (found.kept[places[name]][0], True)
            else:
                found.superseded.append(newest)
        places[name] = len(found.kept)
        found.kept.append((label, False))
        history.append(Told(None, label.value, label.event_time))
    return found


def _is_told(label: Label, history: Sequence[Told]) -> bool:
    if history and history[-1].value == label.value:
        return True
    return any(one.value == label.value and one.event_time == label.event_time for one in history)
