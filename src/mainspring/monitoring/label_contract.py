"""What may be asked about labels: what turned out to be true of predictions, and of how many."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN, Name, Place, Time
from mainspring.core.operation import Done, Operation, Page, Request

RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PLAIN)]
EntityKey = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PLAIN)]
Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Hours = Annotated[float, msgspec.Meta(ge=0, le=100_000)]

HORIZON_HOURS = 7 * 24.0
DEADLINE_HOURS = 30 * 24.0
MOST_LABELS = 10_000
"""In a request."""
MOST_DAYS = 366
"""Of predictions that one reading of the coverage looks at."""


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What turned out to be true of one prediction, named by its id or by whom it was about, and when."""

    request_id: RequestId | None = None
    entity_key: EntityKey | None = None
    about: Time | None = None
    """With an entity key: the entity's latest prediction at or before this moment is meant."""
    value: Finite
    event_time: Time
    """When it became known, by the data's clock."""

    def __post_init__(self) -> None:
        """Refuse a label that names no prediction, or names it twice."""
        given = [name for name in ("request_id", "entity_key", "about") if getattr(self, name)]
        if given not in (["request_id"], ["entity_key", "about"]):
            raise ValueError(
                f"found {' and '.join(f'`{name}`' for name in given) or 'neither'}, "
                "wanted either `request_id` or both `entity_key` and `about`"
            )


class StoredLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label as it is kept."""

    id: int
    request_id: str | None
    entity_key: str | None
    about: dt.datetime | None
    value: float
    event_time: dt.datetime
    recorded_at: dt.datetime
    superseded_at: dt.datetime | None
    """When another value was recorded for the same name; null while it is the newest."""


class RecordedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the labels of a request."""

    count: int
    """How many are kept: the new and the corrected ones."""
    new: int
    doubled: int
    """Known already; they had no effect."""
    corrected: int
    """Another value for a name that had one; the newest counts, the earlier stays readable."""


class LabelColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Many labels at once, column by column; times are microseconds UTC."""

    ids: list[int]
    request_ids: list[str | None]
    entity_keys: list[str | None]
    abouts: list[int | None]
    values: list[float]
    event_times: list[int]
    recorded_ats: list[int]
    next: int | None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many predictions the truth is known."""

    predictions: int
    labelled: int
    share: float | None
    """Labelled of all; null if there are no predictions."""
    pending: int
    """Without a label, and it may still come."""
    missing: int
    """Without a label after the deadline: unknown, which is not the same as negative."""
    median_delay_s: float | None
    """From prediction to label, by the data's clock."""


class LabelCoverage(Coverage, frozen=True, kw_only=True):
    """The coverage of a stretch of event time, and what was asked for."""

    deployment: str
    since: dt.datetime
    until: dt.datetime
    unmatched: int
    """Labels about that stretch whose prediction is not in the log, so far."""
    horizon_hours: float
    deadline_hours: float


class LabelRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of a deployment find their predictions, and how long they are waited for."""

    deployment: str
    horizon_hours: float
    deadline_hours: float
    set_by: str | None
    """Null while nobody has set it: these are the defaults."""


class RecordLabels(Request, frozen=True, kw_only=True):
    """Labels for predictions; sending them again has no effect, another value is a correction."""

    deployment: Name
    labels: Annotated[list[Label], msgspec.Meta(min_length=1, max_length=MOST_LABELS)]


class ReadLabels(Request, frozen=True, kw_only=True):
    """Labels of predictions, in the order in which they became known."""

    deployment: Name
    known_from: Time | None = None
    known_until: Time | None = None
    """By the data's clock: what became known in this stretch of event time."""
    as_known_at: Time | None = None
    """By the server's clock: what had been recorded by then, and not yet corrected."""
    recorded_after: Time | None = None
    request_id: RequestId | None = None
    entity_key: EntityKey | None = None
    history: bool = False
    """Also the labels that were corrected later."""
    after: Place = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 10_000


class CountLabels(Request, frozen=True, kw_only=True):
    """How many labels there are; corrected ones are one."""

    deployment: Name


class ReadCoverage(Request, frozen=True, kw_only=True):
    """Of how many predictions of a stretch of event time, at most 366 days, the truth is known."""

    deployment: Name
    since: Time
    until: Time
    known_until: Time | None = None
    """By the data's clock: as it was known before this moment; by default all that is known."""
    as_known_at: Time | None = None
    """By the server's clock: as it had been recorded by then."""
    horizon_hours: Hours | None = None
    """How far back from `about` a label by entity key looks; by default as the deployment's rule says."""
    deadline_hours: Hours | None = None
    """How long after a prediction its label is waited for; by default as the deployment's rule says."""


class NameLabelRule(Request, frozen=True, kw_only=True):
    """The rule of a deployment."""

    deployment: Name


class SetLabelRule(Request, frozen=True, kw_only=True):
    """How labels find predictions from now on."""

    deployment: Name
    horizon_hours: Hours = HORIZON_HOURS
    """How far back from `about` a label by entity key looks for a prediction."""
    deadline_hours: Hours = DEADLINE_HOURS
    """How long after a prediction its label is waited for; then it counts as missing."""


record_labels = Operation(
    "labels.record", "POST", "/deployments/{deployment}/labels", RecordLabels, RecordedLabels,
    allow="log", summary="Record what turned out to be true, by request id or by entity and time.",
    repeatable=True,
)  # fmt: skip
read_labels = Operation(
    "labels.list", "GET", "/deployments/{deployment}/labels", ReadLabels, Page[StoredLabel],
    allow="read", summary="Read labels in the order in which they became known.",
)  # fmt: skip
read_label_columns = Operation(
    "labels.columns", "GET", "/deployments/{deployment}/labels/columns", ReadLabels, LabelColumns,
    allow="read", summary="Read many labels at once, column by column.",
)  # fmt: skip
count_labels = Operation(
    "labels.count", "GET", "/deployments/{deployment}/labels/count", CountLabels, Done,
    allow="read", summary="Count the labels of a deployment.",
)  # fmt: skip
read_coverage = Operation(
    "labels.coverage", "GET", "/deployments/{deployment}/labels/coverage", ReadCoverage,
    LabelCoverage,
    allow="read", summary="Tell of how many predictions the truth is known, and how late it came.",
)  # fmt: skip
show_label_rule = Operation(
    "labels.rule", "GET", "/deployments/{deployment}/label-rule", NameLabelRule, LabelRule,
    allow="read", summary="Show how labels find predictions, and how long they are waited for.",
)  # fmt: skip
set_label_rule = Operation(
    "labels.set-rule", "PUT", "/deployments/{deployment}/label-rule", SetLabelRule, LabelRule,
    allow="monitor", summary="Set how labels find predictions, and how long they are waited for.",
)  # fmt: skip
