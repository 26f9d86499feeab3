"""Of how many predictions the truth is known: the log joined with labels, on both databases."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from mainspring.core.errors import Invalid, Unavailable
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment
from mainspring.monitoring import label_contract as contract
from mainspring.monitoring.label_contract import (
    Coverage,
    Label,
    LabelCoverage,
    ReadCoverage,
    RecordLabels,
    SetLabelRule,
)
from mainspring.monitoring.labelled import labelled_rows
from tests import watch
from tests.house import Clients, Clock
from tests.monitoring.predicted import Made, logs_to, write_log
from tests.story import MODEL, SIGNATURE
from tests.watch import DAY, FIRST_DAY

HOUR = dt.timedelta(hours=1)


def at(hours: float) -> dt.datetime:
    """So many hours after the first day began."""
    return FIRST_DAY + hours * HOUR


@pytest.fixture
def log(clients: Clients, tmp_path: Path) -> Path:
    """The log of a deployment that has not been asked yet."""
    watch.deployed(clients)
    folder = tmp_path / "log"
    logs_to(clients, folder)
    return folder


def tell(clients: Clients, *labels: Label) -> None:
    request = RecordLabels(deployment=MODEL, labels=list(labels))
    clients.developer.call(contract.record_labels, request)


def by_id(request_id: str, known: float, value: float = 1.0) -> Label:
    return Label(request_id=request_id, value=value, event_time=at(known))


def of_entity(entity: str, about: float, known: float, value: float = 1.0) -> Label:
    return Label(entity_key=entity, about=at(about), value=value, event_time=at(known))


def coverage(
    clients: Clients, since: float = 0, until: float = 24, **more: object
) -> LabelCoverage:
    fields = {"deployment": MODEL, "since": at(since), "until": at(until), **more}
    request = ReadCoverage(**fields)  # type: ignore[arg-type]
    return clients.viewer.call(contract.read_coverage, request)


def counts(found: LabelCoverage) -> tuple[int, int, int]:
    """Predictions, labelled ones, labels without a prediction."""
    return found.predictions, found.labelled, found.unmatched


def labelled(clients: Clients, since: float, until: float) -> dict[str, float]:
    """The values that a training would see, by request id."""
    rows, _ = training(clients, since, until)
    pairs = (rows[name].to_pylist() for name in ("request_id", "label"))
    return dict(zip(*pairs, strict=True))


def training(clients: Clients, since: float, until: float) -> tuple[pa.Table, Coverage]:
    """The rows that a training would see, and of how many predictions they are."""
    place = clients.viewer.call(deployments.show, NameDeployment(deployment=MODEL))
    return labelled_rows(clients.viewer, place, SIGNATURE, at(since), at(until))


TWO: tuple[Made, Made] = (("a", "x", at(1)), ("b", "x", at(3)))


def test_a_label_before_any_prediction_waits_for_it(clients: Clients, log: Path) -> None:
    tell(clients, by_id("a", 0.5), of_entity("x", 4, 5))
    assert counts(coverage(clients)) == (0, 0, 2)

    write_log(log, *TWO)

    found = coverage(clients)
    assert counts(found) == (2, 2, 0)
    assert found.median_delay_s == pytest.approx((-0.5 * 3600 + 2 * 3600) / 2)


def test_each_of_two_predictions_of_an_entity_gets_its_own_label(
    clients: Clients, log: Path
) -> None:
    write_log(log, *TWO)

    tell(clients, of_entity("x", 2, 9, 5.0))
    assert labelled(clients, 0, 24) == {"a": 5.0}
    tell(clients, of_entity("x", 3, 9, 6.0))
    assert labelled(clients, 0, 24) == {"a": 5.0, "b": 6.0}


def test_a_label_is_about_no_later_prediction_and_none_beyond_the_horizon(
    clients: Clients, log: Path
) -> None:
    write_log(log, *TWO)
    tell(clients, of_entity("x", 0.9, 9), of_entity("x", 3 + 7 * 24 + 0.1, 999))

    assert counts(coverage(clients)) == (2, 0, 1)
    assert counts(coverage(clients, horizon_hours=170)) == (2, 1, 1)
    request = SetLabelRule(deployment=MODEL, horizon_hours=170)
    clients.developer.call(contract.set_label_rule, request)
    assert counts(coverage(clients)) == (2, 1, 1)


def test_a_prediction_of_the_next_day_takes_the_label_of_an_entity(
    clients: Clients, log: Path
) -> None:
    write_log(log, ("a", "x", at(23)), ("b", "x", at(25)))
    tell(clients, of_entity("x", 26, 27))

    assert counts(coverage(clients)) == (1, 0, 0)
    assert counts(coverage(clients, 24, 48)) == (1, 1, 0)


def test_what_never_comes_is_missing_and_not_negative(clients: Clients, log: Path) -> None:
    write_log(log, ("a", None, at(1)), ("b", None, at(2)), ("c", None, at(23)))
    tell(clients, by_id("a", 2, 1.0))

    early = coverage(clients, known_until=at(24 * 30 + 1.5))
    late = coverage(clients, known_until=at(24 * 31))
    strict = coverage(clients, known_until=at(24), deadline_hours=2)

    assert (early.labelled, early.pending, early.missing) == (1, 2, 0)
    assert (late.labelled, late.pending, late.missing) == (1, 0, 2)
    assert (strict.labelled, strict.pending, strict.missing) == (1, 1, 1)
    assert labelled(clients, 0, 24) == {"a": 1.0}


def test_a_late_label_counts_for_the_day_of_its_prediction(clients: Clients, log: Path) -> None:
    write_log(log, *TWO)
    tell(clients, by_id("a", 24 * 90))

    assert counts(coverage(clients)) == (2, 1, 0)
    assert coverage(clients).median_delay_s == (24 * 90 - 1) * 3600
    assert counts(coverage(clients, known_until=at(24 * 89))) == (2, 0, 0)


def test_training_sees_what_was_known_by_the_end_of_its_days(clients: Clients, log: Path) -> None:
    write_log(log, *TWO)
    tell(clients, by_id("a", 5, 1.0), by_id("b", 30, 1.0))
    tell(clients, by_id("a", 30, 0.0))

    assert labelled(clients, 0, 24) == {"a": 1.0}
    assert labelled(clients, 0, 48) == {"a": 0.0, "b": 1.0}
    _, found = training(clients, 0, 24)
    assert (found.predictions, found.labelled, found.share, found.pending) == (2, 1, 0.5, 1)


def test_coverage_is_read_as_it_was_known_at_a_moment(
    clients: Clients, log: Path, clock: Clock
) -> None:
    write_log(log, *TWO)
    tell(clients, by_id("a", 5))
    then = clock()
    clock.advance(hours=1)
    tell(clients, by_id("b", 5))

    assert counts(coverage(clients, as_known_at=then)) == (2, 1, 0)
    assert counts(coverage(clients)) == (2, 2, 0)


def test_labels_whose_prediction_is_not_in_the_log_are_told(clients: Clients, log: Path) -> None:
    write_log(log, ("old", "x", at(-20 * 24)), ("recent", "y", at(-2)), ("a", None, at(1)))
    tell(clients, by_id("old", 5), by_id("nobody's", 5), by_id("nobody's", 6, 0.0))
    tell(clients, of_entity("y", 1, 5), of_entity("x", 1, 5), by_id("tomorrow's", 30))

    assert counts(coverage(clients)) == (1, 0, 2)


def test_a_stretch_of_months_is_read_part_by_part(clients: Clients, log: Path) -> None:
    for day in range(0, 100, 5):
        write_log(log, (f"r{day}", "x", at(day * 24)), (f"e{day}", "y", at(day * 24 + 1)))
    tell(clients, *(by_id(f"r{day}", day * 24 + 50) for day in range(0, 100, 10)))
    tell(clients, *(of_entity("y", day * 24 + 3, 9999) for day in range(0, 100, 20)))

    found = coverage(clients, 0, 100 * 24)

    assert counts(found) == (40, 15, 0)
    assert found.share == 15 / 40


def test_a_deployment_that_never_ran_has_no_predictions(clients: Clients) -> None:
    watch.deployed(clients)
    tell(clients, by_id("a", 5))

    found = coverage(clients)

    assert counts(found) == (0, 0, 1)
    assert (found.share, found.median_delay_s) == (None, None)


def test_a_log_that_cannot_be_read_is_said(clients: Clients, log: Path) -> None:
    write_log(log, *TWO)
    (damaged,) = log.glob("*.parquet")
    damaged.write_bytes(b"torn")

    with pytest.raises(Unavailable, match=r"cannot be read here: .*Parquet"):
        coverage(clients)


@pytest.mark.parametrize(("since", "until"), [(0, 367 * 24), (1, 0)])
def test_a_stretch_is_at_most_a_year_and_not_backwards(
    clients: Clients, log: Path, since: float, until: float
) -> None:
    with pytest.raises(Invalid, match="at most 366 days"):
        coverage(clients, since, until)


def test_the_first_and_the_last_moment_that_can_be_said_are_taken(
    clients: Clients, log: Path
) -> None:
    write_log(log, *TWO)
    first = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    last = dt.datetime(9999, 12, 31, 23, tzinfo=dt.UTC)

    for since, until in ((first, first + DAY), (last - DAY, last)):
        request = ReadCoverage(deployment=MODEL, since=since, until=until)
        assert counts(clients.viewer.call(contract.read_coverage, request)) == (0, 0, 0)
