"""What was measured of a version's engines: recorded once, by a worker alone, told to everybody."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.app import App
from mainspring.core.blobs import digest_of
from mainspring.core.errors import Forbidden, NotFound
from mainspring.engines.table import SIZES, EngineTable, Parity, Timed
from mainspring.registry import catalog_contract
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameModel, NameVersion
from mainspring.registry.engine_contract import (
    RecordEngines,
    VersionEngines,
    record_engines,
    show_engines,
)
from mainspring.tracking.contract import FileEntry
from tests import story
from tests.governance import litter
from tests.house import Clients, Clock
from tests.registry import catalog
from tests.story import MODEL

ONNX = b"the conversion"
TABLE = EngineTable(
    native="lightgbm",
    sizes=tuple(Timed(rows=rows, native_s=0.002, onnx_s=0.001, chosen="onnx") for rows in SIZES),
    reason="onnx is quicker",
    precision="FP32",
    parity=Parity(within=True, rows=1000, largest=1e-7, over=0.0, flips=0.0, metric_delta=None),
    rows="1000 of the holdout rows of its run",
    libraries=(("onnxruntime", "1.32.0"),),
)


def record(clients: Clients, table: EngineTable = TABLE, content: bytes = ONNX) -> VersionEngines:
    digest = story.put(clients.service, content)
    onnx = FileEntry(path="model.onnx", digest=digest, size=len(content))
    request = RecordEngines(model=MODEL, version=1, table=table, onnx=onnx)
    return clients.service.call(record_engines, request)


def shown(clients: Clients) -> VersionEngines:
    return clients.viewer.call(show_engines, NameVersion(model=MODEL, version=1))


def test_what_was_measured_is_shown_with_the_version(clients: Clients) -> None:
    before = story.version(clients.developer)
    version = clients.viewer.call(registry.show_version, NameVersion(model=MODEL, version=1))

    record(clients)

    found = shown(clients)
    assert (found.model, found.version, found.table) == (MODEL, before.number, TABLE)
    assert found.onnx == FileEntry(path="model.onnx", digest=digest_of(ONNX), size=len(ONNX))
    # The version is what it was: its digest does not cover the conversion.
    assert version == clients.viewer.call(
        registry.show_version, NameVersion(model=MODEL, version=1)
    )


def test_the_first_table_stands(clients: Clients) -> None:
    story.version(clients.developer)
    record(clients)

    second = record(clients, EngineTable(native="lightgbm", reason="another"), b"another")

    assert second.table == shown(clients).table == TABLE
    assert story.kinds(clients.admin, kind="version.engines_timed") == ["version.engines_timed"]


def test_the_event_says_who_answers(clients: Clients) -> None:
    story.version(clients.developer)

    record(clients)

    (event,) = story.events(clients.admin, kind="version.engines_timed")
    assert (event.subject, event.model) == (f"{MODEL}@1", MODEL)
    assert event.facts == {
        "version": 1,
        "chosen": {"1": "onnx", "32": "onnx", "1000": "onnx"},
        "reason": "onnx is quicker",
    }


def test_nobody_records_it_by_hand(clients: Clients) -> None:
    story.version(clients.developer)

    with pytest.raises(Forbidden, match="'operate'"):
        clients.admin.call(record_engines, RecordEngines(model=MODEL, version=1, table=TABLE))


def test_bytes_that_are_not_here_are_refused(clients: Clients) -> None:
    story.version(clients.developer)
    onnx = FileEntry(path="model.onnx", digest=digest_of(b"unknown"), size=7)
    request = RecordEngines(model=MODEL, version=1, table=TABLE, onnx=onnx)

    with pytest.raises(NotFound, match="has no file"):
        clients.service.call(record_engines, request)


def test_a_version_that_was_not_timed_says_who_will(clients: Clients) -> None:
    story.version(clients.developer)

    with pytest.raises(NotFound, match="were not timed yet") as refusal:
        shown(clients)

    assert refusal.value.fix is not None


def test_a_version_whose_files_are_elsewhere_has_no_engines(clients: Clients) -> None:
    catalog.create(clients.developer)
    catalog.add(clients.developer)

    with pytest.raises(NotFound, match="not kept here"):
        shown(clients)


def test_a_model_is_deleted_with_what_was_measured(clients: Clients) -> None:
    story.version(clients.developer)
    record(clients)

    clients.developer.call(catalog_contract.delete_model, NameModel(model=MODEL))

    with pytest.raises(NotFound, match="no model named"):
        shown(clients)


def files(app: App) -> set[str]:
    return {digest for digest in (digest_of(ONNX),) if app.blobs.has(digest)}


def test_the_conversion_is_kept_as_long_as_the_version(
    clients: Clients, app: App, clock: Clock
) -> None:
    number = story.version(clients.developer).number
    record(clients)
    clock.advance(days=60)
    litter.freed(clients.admin)
    assert files(app) == {digest_of(ONNX)}

    litter.delete_version(clients.developer, number)
    clock.advance(days=60)
    litter.freed(clients.admin)
    clock.advance(days=60)
    litter.freed(clients.admin)

    assert files(app) == set()


def test_a_table_survives_the_wire(clients: Clients) -> None:
    story.version(clients.developer)
    untimed: dict[str, Any] = {"native": "lightgbm", "reason": "no converter installed"}
    request = RecordEngines(model=MODEL, version=1, table=EngineTable(**untimed))

    found = clients.service.call(record_engines, request)

    assert found.table == EngineTable(**untimed)
    assert found.onnx is None
