"""Labels are recorded, doubled, corrected and read, on both databases and both clients."""

from __future__ import annotations

import datetime as dt

import pytest

from mainspring.core.errors import Forbidden, Invalid, NotFound
from mainspring.core.operation import checked
from mainspring.monitoring import label_contract as contract
from mainspring.monitoring.label_contract import (
    CountLabels,
    Label,
    LabelRule,
    NameLabelRule,
    ReadLabels,
    RecordedLabels,
    RecordLabels,
    SetLabelRule,
    StoredLabel,
)
from tests import story, watch
from tests.house import Clients, Clock
from tests.story import MODEL
from tests.watch import FIRST_DAY

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def deployed(clients: Clients) -> None:
    """A version in production that is served."""
    watch.deployed(clients)


def label(request_id: str, value: float = 1.0, minute: int = 0) -> Label:
    return Label(request_id=request_id, value=value, event_time=FIRST_DAY + minute * MINUTE)


def of_entity(entity_key: str, about: int, value: float = 1.0, minute: int = 0) -> Label:
    return Label(
        entity_key=entity_key,
        about=FIRST_DAY + about * MINUTE,
        value=value,
        event_time=FIRST_DAY + minute * MINUTE,
    )


def record(clients: Clients, *labels: Label) -> RecordedLabels:
    request = RecordLabels(deployment=MODEL, labels=list(labels))
    return clients.developer.call(contract.record_labels, request)


def told(recorded: RecordedLabels) -> tuple[int, int, int]:
    """How many were new, doubled, corrected."""
    assert recorded.count == recorded.new + recorded.corrected
    return recorded.new, recorded.doubled, recorded.corrected


def labels(clients: Clients, **filters: object) -> list[StoredLabel]:
    request = ReadLabels(deployment=MODEL, **filters)  # type: ignore[arg-type]
    return clients.viewer.call(contract.read_labels, request).items


def values(clients: Clients, **filters: object) -> list[float]:
    return [one.value for one in labels(clients, **filters)]


def test_labels_sent_again_add_nothing_and_say_so(clients: Clients) -> None:
    assert told(record(clients, label("a"), label("b"))) == (2, 0, 0)
    assert told(record(clients, label("a"), label("b"), label("c"))) == (1, 2, 0)
    assert told(record(clients, label("c", minute=9))) == (0, 1, 0)

    found = clients.viewer.call(contract.count_labels, CountLabels(deployment=MODEL))
    assert found.count == 3


def test_labels_by_entity_and_time_are_doubled_by_both(clients: Clients) -> None:
    assert told(record(clients, of_entity("store 7", 0), of_entity("store 7", 1))) == (2, 0, 0)
    assert told(record(clients, of_entity("store 7", 1), of_entity("store 8", 1))) == (1, 1, 0)

    found = [(one.request_id, one.entity_key, one.about) for one in labels(clients)]
    assert found == [
        (None, "store 7", FIRST_DAY),
        (None, "store 7", FIRST_DAY + MINUTE),
        (None, "store 8", FIRST_DAY + MINUTE),
    ]


@pytest.mark.parametrize("make", [lambda v: label("a", v), lambda v: of_entity("store 7", 0, v)])
def test_another_value_is_a_correction_and_the_newest_counts(
    clients: Clients, make: object
) -> None:
    assert callable(make)
    record(clients, make(1.0))

    assert told(record(clients, make(0.0))) == (0, 0, 1)

    assert values(clients) == [0.0]
    history = labels(clients, history=True)
    assert [one.value for one in history] == [1.0, 0.0]
    assert history[0].superseded_at == history[1].recorded_at
    assert history[1].superseded_at is None
    assert clients.viewer.call(contract.count_labels, CountLabels(deployment=MODEL)).count == 1


def test_what_was_sent_before_a_correction_does_not_undo_it(clients: Clients) -> None:
    record(clients, label("a", 1.0, minute=1))
    record(clients, label("a", 0.0, minute=2))

    assert told(record(clients, label("a", 1.0, minute=1))) == (0, 1, 0)
    assert values(clients) == [0.0]


def test_a_value_that_became_known_again_is_a_correction(clients: Clients) -> None:
    for minute, value in enumerate((1.0, 0.0, 1.0)):
        record(clients, label("a", value, minute))

    assert values(clients) == [1.0]
    assert values(clients, history=True) == [1.0, 0.0, 1.0]


def test_a_request_may_correct_itself(clients: Clients) -> None:
    found = record(clients, label("a", 1.0), label("a", 1.0), label("a", 0.0), label("b", 5.0))

    assert told(found) == (2, 1, 1)
    assert sorted(values(clients)) == [0.0, 5.0]


def test_a_file_that_corrects_itself_can_be_sent_again(clients: Clients) -> None:
    both = label("a", 1.0, minute=1), label("a", 0.0, minute=2)
    record(clients, *both)

    assert told(record(clients, *both)) == (0, 2, 0)
    assert values(clients) == [0.0]


def test_labels_are_read_as_they_were_known_at_a_moment(clients: Clients, clock: Clock) -> None:
    record(clients, label("a", 1.0))
    first = labels(clients)[0].recorded_at
    clock.advance(hours=1)
    record(clients, label("a", 0.0), label("b", 7.0))

    assert values(clients, as_known_at=first - MINUTE) == []
    assert values(clients, as_known_at=first) == [1.0]
    assert values(clients, as_known_at=first + 90 * MINUTE) == [0.0, 7.0]


def test_the_history_of_one_prediction_can_be_read(clients: Clients) -> None:
    record(clients, label("a", 1.0), label("b", 5.0), of_entity("store 7", 3, 9.0))
    record(clients, label("a", 0.0))

    assert values(clients, request_id="a", history=True) == [1.0, 0.0]
    assert values(clients, entity_key="store 7") == [9.0]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "found neither"),
        (
            {"request_id": "a", "entity_key": "store 7", "about": FIRST_DAY},
            "found `request_id` and",
        ),
        ({"entity_key": "store 7"}, "found `entity_key`, wanted"),
        ({"about": FIRST_DAY}, "found `about`, wanted"),
        ({"request_id": "a", "about": FIRST_DAY}, "found `request_id` and `about`"),
    ],
)
def test_a_label_names_one_prediction_in_one_way(
    clients: Clients, fields: dict[str, object], found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        Label(value=1.0, event_time=FIRST_DAY, **fields)  # type: ignore[arg-type]


def test_one_that_names_none_is_refused_on_the_way_in(clients: Clients) -> None:
    fields = {"value": 1.0, "event_time": "2013-03-01T00:00:00Z", "entity_key": "store 7"}

    with pytest.raises(Invalid, match="found `entity_key`, wanted either") as caught:
        checked(contract.record_labels, {"deployment": MODEL, "labels": [fields]})
    assert caught.value.field == "labels[0]"


def test_labels_are_read_by_when_they_became_known(clients: Clients) -> None:
    record(clients, *(label(str(minute), minute=minute) for minute in range(5)))

    since, until = (FIRST_DAY + minute * MINUTE for minute in (1, 3))
    found = labels(clients, known_from=since, known_until=until)

    assert [one.request_id for one in found] == ["1", "2"]


@pytest.mark.parametrize("columns", [False, True])
def test_pages_of_labels_tell_all_of_them_once(clients: Clients, columns: bool) -> None:  # noqa: FBT001
    same_minute = [3, 1, 0, 1, 2, 1, 4]
    record(clients, *(label(str(at), at, minute) for at, minute in enumerate(same_minute)))
    found: list[str | None] = []
    after: int | None = 0
    while after is not None:
        request = ReadLabels(deployment=MODEL, limit=3, after=after)
        if columns:
            page = clients.viewer.call(contract.read_label_columns, request)
            found += page.request_ids
            after = page.next
        else:
            items = clients.viewer.call(contract.read_labels, request)
            found += [one.request_id for one in items.items]
            after = int(items.next) if items.next else None

    assert found == ["2", "1", "3", "5", "4", "0", "6"]


def test_columns_tell_what_lists_do(clients: Clients) -> None:
    record(clients, label("a", 1.0), of_entity("store 7", 3, 9.0, minute=4))

    page = clients.viewer.call(contract.read_label_columns, ReadLabels(deployment=MODEL))

    micros = int(FIRST_DAY.timestamp()) * 1_000_000
    assert (page.request_ids, page.entity_keys) == (["a", None], [None, "store 7"])
    assert (page.abouts, page.values) == ([None, micros + 180_000_000], [1.0, 9.0])
    assert page.event_times == [micros, micros + 240_000_000]
    assert page.ids == [one.id for one in labels(clients)]
    assert page.next is None


def test_ten_thousand_labels_are_one_request(clients: Clients) -> None:
    many = [label(f"r{at}", float(at % 2)) for at in range(9_000)]
    many += [of_entity(f"e{at}", 0) for at in range(1_000)]

    assert told(record(clients, *many)) == (10_000, 0, 0)
    assert told(record(clients, *many)) == (0, 10_000, 0)


def test_the_rule_has_defaults_until_it_is_set(clients: Clients) -> None:
    named = NameLabelRule(deployment=MODEL)
    assert clients.viewer.call(contract.show_label_rule, named) == LabelRule(
        deployment=MODEL, horizon_hours=168, deadline_hours=720, set_by=None
    )

    for hours in (1, 48):
        request = SetLabelRule(deployment=MODEL, horizon_hours=hours, deadline_hours=72)
        clients.developer.call(contract.set_label_rule, request)

    found = clients.viewer.call(contract.show_label_rule, named)
    assert (found.horizon_hours, found.deadline_hours, found.set_by) == (48, 72, "dora")
    assert story.kinds(clients.viewer).count("label_rule.set") == 2
    with pytest.raises(Forbidden):
        clients.viewer.call(contract.set_label_rule, SetLabelRule(deployment=MODEL))


def test_labels_of_a_deployment_that_is_not_there_are_refused(clients: Clients) -> None:
    with pytest.raises(NotFound, match="did you mean 'flights-late'"):
        clients.developer.call(
            contract.record_labels, RecordLabels(deployment="flights-lates", labels=[label("a")])
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e301])
def test_a_value_is_a_finite_number(clients: Clients, value: float) -> None:
    with pytest.raises(Invalid):
        record(clients, label("a", value))


def test_a_window_is_revised_by_what_is_known_later_and_not_by_what_was_before(
    clients: Clients,
) -> None:
    watch.window(clients, 0, 0.8)

    revised = watch.revised(clients, 0, labels=101)
    again = watch.revised(clients, 0, labels=99)

    assert (revised.labels, again.labels) == (101, 101)
    assert revised.measurements["performance_of_day"] == {"labelled": 101}
    assert revised.measurements["performance"]["auc"]["value"] == 0.8
    (event,) = story.events(clients.viewer, kind="window.revised")
    assert (event.facts["labels_before"], event.facts["labels"]) == (100, 101)


def test_a_window_that_was_not_measured_is_not_revised(clients: Clients) -> None:
    with pytest.raises(NotFound, match="has no window that starts at 2013-03-01"):
        watch.revised(clients, 0, labels=1)
