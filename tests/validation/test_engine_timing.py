"""A registered version's engines are examined in a child process, with the best rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.event import Event
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.core.signature import Signature
from mainspring.datasets.storage import write_rows
from mainspring.engines.engine import load_model
from mainspring.engines.onnx import ONNXEngine
from mainspring.engines.tensor import Tensors
from mainspring.registry import contract as registry
from mainspring.registry.catalog_contract import delete_version
from mainspring.registry.contract import NameVersion
from mainspring.registry.engine_contract import VersionEngines, show_engines
from mainspring.tracking import dataset_contract, model_contract
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.dataset_contract import DatasetRole, LogDataset
from mainspring.tracking.model_contract import LogModel
from mainspring.validation import engine_timing
from mainspring.validation.engine_timing import give_up, time_engines
from tests import story
from tests.engines import forests
from tests.engines.forests import Kind, many_rows
from tests.house import Clients
from tests.registry import catalog
from tests.story import MODEL

BINARY = Kind("binary")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A LightGBM model."""
    forests.saved(BINARY, tmp_path / "model", 5)
    return tmp_path / "model"


def table_of(rows: Tensors) -> pa.Table:
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in rows.items()})


def log_rows(client: FileClient, run: str, role: DatasetRole, table: pa.Table, place: Path) -> None:
    """Keep the rows with the run."""
    write_rows(table, place)
    digest = story.put(client, place.read_bytes())
    request = LogDataset(
        run=run, name=f"flights-{role}", role=role, rows=len(table), columns=[],
        digest=digest_of(role.encode()), file=digest,
    )  # fmt: skip
    client.call(dataset_contract.log_dataset, request)


def registered(client: FileClient, run: str, folder: Path, **more: Any) -> int:
    """Register the model of the folder as one that the run made."""
    description = more.pop("signature", None) or load_model(folder).signature
    files = [
        FileEntry(
            path=path.name, digest=story.put(client, path.read_bytes()), size=path.stat().st_size
        )
        for path in sorted(folder.iterdir())
    ]
    fields: dict[str, Any] = {"engine": "lightgbm", "task": "binary", **more}
    trained = new_id()
    request = LogModel(
        run=run, id=trained, name="model", signature=description, files=files, **fields
    )
    client.call(model_contract.log_model, request)
    story.finish(client, run)
    return story.register(client, trained)


def registration(clients: Clients) -> Event:
    return story.events(clients.admin, kind="version.registered")[-1]


def timed(clients: Clients) -> VersionEngines:
    """What the worker finds of the last version."""
    event = registration(clients)
    time_engines(clients.service, event)
    name = NameVersion(model=MODEL, version=event.facts["version"])
    return clients.viewer.call(show_engines, name)


def test_a_version_gets_a_table_and_its_conversion(
    clients: Clients, folder: Path, tmp_path: Path
) -> None:
    run = story.open_run(clients.developer)
    rows = many_rows()
    table = table_of(rows).append_column("label", pa.array(np.tile(forests.data()[1], 4)))
    log_rows(clients.developer, run, "training", table.slice(0, 300), tmp_path / "training")
    log_rows(clients.developer, run, "holdout", table, tmp_path / "holdout")
    registered(clients.developer, run, folder)

    found = timed(clients)

    assert [size.rows for size in found.table.sizes] == [1, 32, 1000]
    assert found.table.native == "lightgbm"
    assert found.table.rows == f"{len(table)} of the holdout rows of its run, 'flights-holdout'"
    assert found.table.parity is not None
    assert found.table.parity.within
    assert found.table.parity.rows == len(table)
    assert found.table.parity.metric_delta is not None
    assert (found.onnx is not None) == found.table.uses_onnx
    if found.onnx is not None:  # which engine is quicker is the machine's affair
        onnx = ONNXEngine(
            b"".join(clients.viewer.download(found.onnx.digest)), load_model(folder).signature
        )
        np.testing.assert_allclose(
            onnx.predict(rows)["score0"], load_model(folder).predict(rows)["score0"], atol=1e-6
        )


def test_the_version_and_its_digest_stay_as_they_were(clients: Clients, folder: Path) -> None:
    number = registered(clients.developer, story.open_run(clients.developer), folder)
    name = NameVersion(model=MODEL, version=number)
    before = clients.viewer.call(registry.show_version, name)

    timed(clients)

    assert clients.viewer.call(registry.show_version, name) == before


def test_without_rows_some_are_made_up_of_the_signature_and_the_recorded_ranges(
    clients: Clients, folder: Path
) -> None:
    run = story.open_run(clients.developer)
    request = LogDataset(
        run=run, name="flights", role="training", rows=1000, digest=digest_of(b"flights"),
        columns=[{"name": "area", "min": 100.0, "max": 2500.0}, {"name": "size", "distinct": 5}],
    )  # fmt: skip
    clients.developer.call(dataset_contract.log_dataset, request)
    registered(clients.developer, run, folder)

    found = timed(clients)

    assert found.table.rows == (
        "2000 rows made up of its signature with the seed 20130101, 1 of 6 columns in their "
        "recorded range: its run kept no rows"
    )
    assert found.table.parity is not None
    assert found.table.parity.within
    assert found.table.parity.metric_delta is None


def test_few_rows_are_taken_with_some_that_are_made_up(
    clients: Clients, folder: Path, tmp_path: Path
) -> None:
    run = story.open_run(clients.developer)
    rows = many_rows()
    truth = np.arange(len(rows["area"])) % 2
    few = table_of(rows).append_column("label", pa.array(truth)).slice(0, 100)
    log_rows(clients.developer, run, "holdout", few, tmp_path / "holdout")
    registered(clients.developer, run, folder)

    table = timed(clients).table

    assert table.rows.startswith("2000 rows made up of its signature")
    assert table.rows.endswith(
        "the holdout rows of its run, 'flights-holdout' come first, and are 100, too few by themselves"
    )
    assert table.parity is not None
    assert (table.parity.within, table.parity.rows) == (True, 2100)
    assert table.parity.metric_delta == pytest.approx(0, abs=1e-5)


def test_rows_that_do_not_fit_are_not_taken(clients: Clients, folder: Path, tmp_path: Path) -> None:
    run = story.open_run(clients.developer)
    table = table_of(many_rows()).drop_columns(["area"])
    log_rows(clients.developer, run, "holdout", table, tmp_path / "holdout")
    registered(clients.developer, run, folder)

    assert "do not fit its signature" in timed(clients).table.rows


def test_a_model_that_cannot_be_loaded_has_a_reason_and_no_times(clients: Clients) -> None:
    story.version(clients.developer)

    found = timed(clients)

    assert found.table.sizes == ()
    assert found.table.native == "lightgbm"
    assert "its own engine does not answer" in found.table.reason
    assert "model.json" in found.table.reason
    assert found.onnx is None


def test_a_version_of_an_unknown_engine_has_a_reason(
    clients: Clients, folder: Path, tmp_path: Path
) -> None:
    place = folder / "model.json"
    signature: Signature = load_model(folder).signature
    place.write_text(place.read_text().replace('"lightgbm"', '"abacus"'))
    run = story.open_run(clients.developer)
    registered(clients.developer, run, folder, engine="abacus", signature=signature)

    found = timed(clients)

    assert found.table.native == "abacus"
    assert "no plug 'abacus'" in found.table.reason


def test_a_second_time_changes_nothing(clients: Clients, folder: Path) -> None:
    registered(clients.developer, story.open_run(clients.developer), folder)
    first = timed(clients)

    assert timed(clients) == first
    assert story.kinds(clients.admin, kind="version.engines_timed") == ["version.engines_timed"]


def test_a_version_whose_files_are_elsewhere_is_left(clients: Clients) -> None:
    catalog.create(clients.developer)
    catalog.add(clients.developer)

    time_engines(clients.service, registration(clients))

    assert story.kinds(clients.admin, kind="version.engines_timed") == []


def test_a_version_that_was_deleted_meanwhile_is_left(clients: Clients) -> None:
    story.version(clients.developer)
    event = registration(clients)
    clients.developer.call(delete_version, NameVersion(model=MODEL, version=1))

    time_engines(clients.service, event)

    assert story.kinds(clients.admin, kind="version.engines_timed") == []


def test_a_child_that_hangs_is_ended(
    clients: Clients, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(clients.developer, story.open_run(clients.developer), folder)
    monkeypatch.setattr(engine_timing, "LIMIT_S", 0.01)

    found = timed(clients)

    assert found.table.reason == "its engines could not be timed: that took longer than 0.01 s"
    assert found.table.native == "lightgbm"


def test_a_child_that_breaks_says_why(
    clients: Clients, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(clients.developer, story.open_run(clients.developer), folder)
    # A crash in native code ends the process: so does a module that is none.
    monkeypatch.setattr(engine_timing, "CHILD", "mainspring.engines")

    found = timed(clients)

    assert found.table.reason.startswith("its engines could not be timed: the process ended with 1")


def test_a_server_without_numbers_says_so(
    clients: Clients, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(clients.developer, story.open_run(clients.developer), folder)
    monkeypatch.setattr(engine_timing, "CHILD", "no_such_package_at_all")

    found = timed(clients)

    assert found.table.reason == (
        "the server cannot time engines: the package 'no_such_package_at_all' is not installed; "
        "pip install 'mainspring[loop]'"
    )


def test_a_job_that_was_given_up_leaves_a_reason(clients: Clients, folder: Path) -> None:
    registered(clients.developer, story.open_run(clients.developer), folder)
    event = registration(clients)
    facts = {"reaction": "validation.time-engines", "about": event.subject, "error": "gone"}
    failed = msgspec.structs.replace(event, kind="job.failed", facts=facts)

    give_up(clients.service, failed)

    name = NameVersion(model=MODEL, version=1)
    found = clients.viewer.call(show_engines, name)
    assert found.table.reason == "its engines could not be timed: gone"
