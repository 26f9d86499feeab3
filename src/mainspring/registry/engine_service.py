"""What was measured of a version's engines is recorded once, and told."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.errors import NotFound
from mainspring.core.work import Work, performs
from mainspring.engines.table import EngineTable
from mainspring.registry import engine_contract as contract
from mainspring.registry.contract import NameVersion
from mainspring.registry.engine_contract import CONVERSION, VersionEngines
from mainspring.registry.engine_store import EngineStore
from mainspring.registry.store import RegistryStore
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.run_access import stored


@performs(contract.show_engines)
def show_engines(work: Work, request: NameVersion) -> VersionEngines:
    """The table of the version."""
    version = RegistryStore(work.connection, work.workspace_id).version_row(
        request.model, request.version
    )
    row = EngineStore(work.connection).find(version.id)
    if row is None:
        name = f"{request.model}@{request.version}"
        if version.digest is None:
            raise NotFound(
                f"the files of {name} are not kept here: it has no engines", field="version"
            )
        raise NotFound(
            f"the engines of {name} were not timed yet; its own engine answers",
            field="version",
            fix="a worker times them after the registration: mainspring jobs list",
        )
    return _engines(version, row)


@performs(contract.record_engines)
def record_engines(work: Work, request: contract.RecordEngines) -> VersionEngines:
    """Keep the first table of the version: a worker that was killed may come with a second."""
    version = RegistryStore(work.connection, work.workspace_id).version_row(
        request.model, request.version
    )
    if request.onnx is not None:
        stored(work, "onnx", request.onnx.digest)
    store, table = EngineStore(work.connection), request.table
    kept = store.add(
        {
            "version_id": version.id,
            "measured": msgspec.to_builtins(table),
            "onnx_digest": request.onnx.digest if request.onnx else None,
            "onnx_size": request.onnx.size if request.onnx else None,
            "recorded_at": work.now,
        }
    )
    if kept:
        work.announce(
            "version.engines_timed",
            ("version", f"{request.model}@{request.version}"),
            request.model,
            version=request.version,
            chosen={str(size.rows): size.chosen for size in table.sizes},
            reason=table.reason,
        )
    return _engines(version, store.find(version.id))


def _engines(version: Any, row: Any) -> VersionEngines:
    onnx = None
    if row.onnx_digest is not None:
        onnx = FileEntry(path=CONVERSION, digest=row.onnx_digest, size=row.onnx_size)
    return VersionEngines(
        model=version.model,
        version=version.number,
        table=msgspec.convert(row.measured, EngineTable),
        onnx=onnx,
        recorded_at=row.recorded_at,
    )
