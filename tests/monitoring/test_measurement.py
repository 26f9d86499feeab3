"""Days are measured with the labels known then, and again with those that come later."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from mainspring.core.ids import new_id
from mainspring.core.signature import Signature
from mainspring.datasets.storage import write_rows
from mainspring.deployment import contract as deployment
from mainspring.engines import lightgbm as engine
from mainspring.engines.encoding import encode
from mainspring.monitoring import contract
from mainspring.monitoring import label_contract as labelling
from mainspring.monitoring.contract import CloseWindows, ListOfDeployment, Window
from mainspring.monitoring.label_contract import Label, RecordLabels, SetLabelRule
from mainspring.monitoring.measurement import measure_windows
from mainspring.tracking import dataset_contract, model_contract
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.dataset_contract import LogDataset
from mainspring.tracking.model_contract import LogModel
from tests import story, watch
from tests.house import Clients, Clock
from tests.monitoring.predicted import logs_to, write_log
from tests.story import MODEL, SIGNATURE
from tests.watch import DAY, FIRST_DAY

ROWS = 200
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def transport() -> str:
    """Days are measured beside the server."""
    return "in process"


def distances(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 200, ROWS)


def stored(clients: Clients, role: dataset_contract.DatasetRole, folder: Path) -> LogDataset:
    """Rows of the role, in the store."""
    values = distances(1)
    times = pa.array([FIRST_DAY - DAY] * ROWS, pa.timestamp("us", tz="UTC"))
    rows = pa.table(
        {"distance": values, "label": (values > 100).astype(float), "event_time": times}
    )
    write_rows(rows, folder / role)
    digest = story.put(clients.developer, (folder / role).read_bytes())
    return LogDataset(
        run="0" * 32, name=role, digest=digest, role=role, rows=ROWS, columns=[], file=digest
    )


def trained(folder: Path, signature: Signature) -> list[Path]:
    """The files of a small model."""
    folder.mkdir()
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(encode(signature, {"distance": distances(1)}), distances(1) > 100),
        num_boost_round=3,
    )
    engine.save(booster.model_to_string(), folder, signature)
    return sorted(folder.iterdir())


@pytest.fixture
def log(clients: Clients, tmp_path: Path) -> Path:
    """The log of a deployed model whose run has its rows stored, with two days of traffic."""
    developer = clients.developer
    story.declare(developer)
    run = story.open_run(developer)
    for role in ("training", "holdout"):
        request = stored(clients, role, tmp_path)
        fields = {name: getattr(request, name) for name in LogDataset.__struct_fields__}
        developer.call(dataset_contract.log_dataset, LogDataset(**{**fields, "run": run}))
    files = [
        FileEntry(
            path=path.name, digest=story.put(developer, path.read_bytes()), size=path.stat().st_size
        )
        for path in trained(tmp_path / "model", SIGNATURE)
    ]
    model = new_id()
    request_model = LogModel(
        run=run,
        id=model,
        name="m",
        engine="lightgbm",
        task="binary",
        signature=SIGNATURE,
        files=files,
    )
    developer.call(model_contract.log_model, request_model)
    story.finish(developer, run)
    promotion = story.ask(developer, story.register(developer, model))
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    clients.deployer.call(deployment.start, deployment.StartDeployment(model=MODEL))
    folder = tmp_path / "log"
    logs_to(clients, folder)
    for day in range(2):
        times = [FIRST_DAY + day * DAY + at * dt.timedelta(minutes=5) for at in range(ROWS)]
        made = [(f"d{day}r{at}", f"d{day}e{at}", times[at]) for at in range(ROWS)]
        write_log(folder, *made, inputs={"distance": distances(day).tolist()})
    return folder


def truths(day: int, rows: range, *, by_entity: bool = False, wrong: bool = False) -> list[Label]:
    """What turned out to be true of some rows of a day, known a day later."""
    start = FIRST_DAY + day * DAY
    values = (distances(day) > 100) != wrong
    return [
        Label(
            request_id=None if by_entity else f"d{day}r{at}",
            entity_key=f"d{day}e{at}" if by_entity else None,
            about=start + at * dt.timedelta(minutes=5) + HOUR if by_entity else None,
            value=float(values[at]),
            event_time=start + DAY,
        )
        for at in rows
    ]


def tell(clients: Clients, labels: list[Label]) -> None:
    request = RecordLabels(deployment=MODEL, labels=labels)
    clients.developer.call(labelling.record_labels, request)


def measure(clients: Clients, days: int, *, ask: bool = True) -> list[Window]:
    """Measure what has ended so many days after the first began; the windows, the oldest first."""
    if ask:
        until = FIRST_DAY + days * DAY + HOUR
        request = CloseWindows(deployment=MODEL, until=until, label_delay_hours=0)
        clients.developer.call(contract.close_windows, request)
    event = story.events(clients.viewer, kind="windows.due")[-1]
    measure_windows(clients.service, event)
    listed = clients.viewer.call(contract.list_windows, ListOfDeployment(deployment=MODEL))
    return list(reversed(listed))


def revisions(clients: Clients) -> list[tuple[int, int]]:
    """How many labels a day had before and after each revision."""
    events = story.events(clients.viewer, kind="window.revised")
    return [(one.facts["labels_before"], one.facts["labels"]) for one in events]


def test_performance_says_of_how_many_predictions_it_is(clients: Clients, log: Path) -> None:
    tell(clients, truths(0, range(80)) + truths(0, range(80, 150), by_entity=True))

    (window,) = measure(clients, 1)

    assert (window.rows, window.labels) == (200, 150)
    for kind in ("performance", "performance_of_day"):
        found = window.measurements[kind]
        assert found["auc"]["value"] == 1.0
        assert found["coverage"] == {
            "predictions": 200,
            "labelled": 150,
            "share": 0.75,
            "pending": 50,
            "missing": 0,
            "median_delay_s": pytest.approx(86_400 - 74.5 * 300),
        }


def test_an_alert_says_of_how_many_predictions_its_figure_is(clients: Clients, log: Path) -> None:
    watch.monitor(clients, metric="log_loss", threshold=0.01)
    tell(clients, truths(0, range(150), wrong=True))

    measure(clients, 1)

    (alert,) = watch.alerts(clients)
    assert "] of the 75.0% that have a label crossed 0.01" in alert.reason


def test_late_labels_count_for_the_day_of_their_predictions(clients: Clients, log: Path) -> None:
    tell(clients, truths(0, range(120)))
    (before,) = measure(clients, 1)
    tell(clients, truths(0, range(120, 200), by_entity=True) + truths(1, range(200)))

    first, second = measure(clients, 2)

    assert (before.labels, first.labels, second.labels) == (120, 200, 200)
    assert first.measurements["performance_of_day"]["coverage"]["share"] == 1.0
    assert first.measurements["performance"] == before.measurements["performance"]
    assert before.labels_known_at is not None
    assert first.labels_known_at is not None
    assert first.labels_known_at > before.labels_known_at
    assert second.labels_known_at == first.labels_known_at
    assert revisions(clients) == [(120, 200)]


def test_a_correction_is_measured_again(clients: Clients, log: Path) -> None:
    tell(clients, truths(0, range(150)))
    (before,) = measure(clients, 1)
    tell(clients, truths(0, range(150), wrong=True))

    after, _ = measure(clients, 2)

    assert before.measurements["performance_of_day"]["auc"]["value"] == 1.0
    assert after.measurements["performance_of_day"]["auc"]["value"] == 0.0
    assert (before.labels, after.labels) == (150, 150)
    assert revisions(clients) == [(150, 150)]


def test_labels_that_change_nothing_revise_nothing(clients: Clients, log: Path) -> None:
    tell(clients, truths(0, range(150)))
    measure(clients, 1)
    tell(clients, truths(0, range(150)) + truths(1, range(10)))

    measure(clients, 2)

    assert revisions(clients) == []


def test_a_measurement_that_is_done_again_knows_no_more(
    clients: Clients, log: Path, clock: Clock
) -> None:
    tell(clients, truths(0, range(120)))
    measure(clients, 1)
    clock.advance(seconds=1)
    tell(clients, truths(0, range(120, 130)))
    first = measure(clients, 2)
    clock.advance(seconds=1)
    tell(clients, truths(0, range(130, 200)))

    assert measure(clients, 2, ask=False) == first
    assert revisions(clients) == [(120, 130)]
    assert measure(clients, 2)[0].labels == 200


def test_labels_after_the_deadline_leave_the_window_as_it_was(clients: Clients, log: Path) -> None:
    request = SetLabelRule(deployment=MODEL, deadline_hours=12)
    clients.developer.call(labelling.set_label_rule, request)
    tell(clients, truths(0, range(120)))
    before, _ = measure(clients, 2)
    tell(clients, truths(0, range(120, 200)) + truths(1, range(150)))

    after, second = measure(clients, 3)

    found = before.measurements["performance_of_day"]["coverage"]
    assert (found["labelled"], found["pending"], found["missing"]) == (120, 0, 80)
    assert after == before
    assert second.labels == 150
