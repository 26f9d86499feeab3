"""What may be asked about the engines of a version: which of them answers how many rows."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.core.ids import ModelName, Version
from mainspring.core.operation import Operation
from mainspring.engines.table import EngineTable
from mainspring.registry.contract import NameVersion
from mainspring.tracking.contract import FileEntry

CONVERSION = "model.onnx"
"""What the file of a conversion is called."""


class VersionEngines(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a version's engines after it was registered."""

    model: ModelName
    version: Version
    table: EngineTable
    onnx: FileEntry | None
    """The conversion, if it answers anything; the version's own files and digest stay as they are."""
    recorded_at: dt.datetime


class RecordEngines(NameVersion, frozen=True, kw_only=True):
    """What was measured; the first table of a version stands."""

    table: EngineTable
    onnx: FileEntry | None = None


show_engines = Operation(
    "model.engines", "GET", "/models/{model}/versions/{version}/engines",
    NameVersion, VersionEngines,
    allow="read", summary="Show which engine answers how many rows of a version, and why.",
)  # fmt: skip
record_engines = Operation(
    "model.record-engines", "PUT", "/models/{model}/versions/{version}/engines",
    RecordEngines, VersionEngines,
    allow="operate", summary="Record what was measured of a version's engines.", repeatable=True,
)  # fmt: skip
