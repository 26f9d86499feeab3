"""When a version is registered, its engines are examined, in a process that may break or hang."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from mainspring.core.blobs import digest_of
from mainspring.core.errors import NotFound, Unavailable
from mainspring.core.event import Event
from mainspring.core.extras import require
from mainspring.core.operation import Client, FileClient
from mainspring.core.settings import clean_environment
from mainspring.engines.table import EngineTable
from mainspring.registry import contract as registry
from mainspring.registry import engine_contract
from mainspring.registry.contract import NameVersion
from mainspring.registry.engine_contract import CONVERSION, RecordEngines
from mainspring.registry.model import ModelVersion
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import FileEntry, NameRun, RunDataset
from mainspring.tracking.files import fetched, fetched_folder

LIMIT_S = 120.0
"""How long an examination may take; a forest of half a million nodes is converted in a tenth of it."""
ROLES = ("holdout", "test", "validation", "evaluation", "training")
"""The datasets of the run whose rows are taken, the first that was kept."""
CHILD = "mainspring.validation.engine_child"
TABLE, SAID = "table.json", "said.txt"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is told."""

    folder: str
    out: str
    task: str
    rows: str | None
    """A Parquet file."""
    origin: str
    """What the rows are, in words."""
    ranges: dict[str, tuple[float, float]]
    """The least and greatest values of columns, for rows that have to be made up."""


def time_engines(client: FileClient, event: Event) -> None:
    """Record which engines the version has; whatever fails is recorded as the reason."""
    version = _version(client, event)
    if version is None:
        return
    try:
        require(CHILD, "loop")
    except Unavailable as error:
        table = EngineTable(
            native=version.engine,
            reason=f"the server cannot time engines: {error.message}; {error.fix}",
        )
        _record(client, version, table, None)
        return
    with tempfile.TemporaryDirectory() as place:
        table = _examined(_task(client, version, place))
        path = Path(place, CONVERSION)
        _record(client, version, table, path if path.exists() else None)


def give_up(client: Client, event: Event) -> None:
    """Record that nothing could be timed: the version's own engine answers."""
    model, _, number = event.facts["about"].rpartition("@")
    name = NameVersion(model=model, version=int(number))
    try:
        version = client.call(registry.show_version, name)
    except NotFound:
        return
    reason = f"its engines could not be timed: {event.facts['error'][-2000:]}"
    table = EngineTable(native=version.engine, reason=reason)
    request = RecordEngines(model=version.model, version=version.version, table=table)
    client.call(engine_contract.record_engines, request)


def _version(client: Client, event: Event) -> ModelVersion | None:
    """The version, if it is there, has files here and was not timed yet."""
    if event.facts["of"] != "model" or event.model is None:
        return None
    name = NameVersion(model=event.model, version=event.facts["version"])
    try:
        version = client.call(registry.show_version, name)
    except NotFound:
        return None
    if version.digest is None:
        return None
    try:
        client.call(engine_contract.show_engines, name)
    except NotFound:
        return version
    return None


def _task(client: FileClient, version: ModelVersion, place: str) -> Task:
    run = version.run and client.call(tracking.show_run, NameRun(run=version.run))
    by_role = {dataset.role: dataset for dataset in reversed(run.datasets)} if run else {}
    found = [by_role[role] for role in ROLES if role in by_role]
    kept = next((one for one in found if one.file is not None), None)
    return Task(
        folder=str(fetched_folder(client, version.own_digest(), version.files)),
        out=place,
        task=version.task,
        rows=str(fetched(client, kept.file)) if kept is not None and kept.file else None,
        origin=f"the {kept.role} rows of its run, {kept.name!r}" if kept is not None else "",
        ranges=_ranges(found),
    )


def _ranges(datasets: list[RunDataset]) -> dict[str, tuple[float, float]]:
    """What the datasets' summaries say of their columns."""
    found: dict[str, tuple[float, float]] = {}
    for column in (column for dataset in datasets for column in dataset.columns):
        low, high = column.get("min"), column.get("max")
        if isinstance(low, (int, float)) and isinstance(high, (int, float)):
            found.setdefault(str(column.get("name")), (float(low), float(high)))
    return found


def _examined(task: Task) -> EngineTable:
    """Let a child examine them; one that hangs is killed, and one that breaks tells why."""
    said = Path(task.out, SAID)
    with (
        said.open("wb") as output,
        subprocess.Popen(  # noqa: S603  our own interpreter, our own module
            [sys.executable, "-m", CHILD],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            # As a data plane runs: what is timed has one thread.
            env=clean_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),
        ) as child,
    ):
        assert child.stdin is not None
        try:
            child.stdin.write(msgspec.json.encode(task) + b"\n")
            child.stdin.flush()
            code = child.wait(LIMIT_S)
        except BrokenPipeError:
            code = child.wait()
        except subprocess.TimeoutExpired:
            child.kill()
            return _untimed(f"that took longer than {LIMIT_S:g} s")
    if code != 0:
        last = said.read_text(errors="replace").strip().rpartition("\n")[2][-500:]
        return _untimed(f"the process ended with {code}: {last}")
    return msgspec.json.decode(Path(task.out, TABLE).read_bytes(), type=EngineTable)


def _untimed(why: str) -> EngineTable:
    return EngineTable(native="", reason=f"its engines could not be timed: {why}")


def _record(
    client: FileClient, version: ModelVersion, table: EngineTable, model: Path | None
) -> None:
    entry = None
    if model is not None:
        content = model.read_bytes()
        entry = FileEntry(path=CONVERSION, digest=digest_of(content), size=len(content))
        client.upload(entry.digest, model)
    request = RecordEngines(
        model=version.model,
        version=version.version,
        table=msgspec.structs.replace(table, native=table.native or version.engine),
        onnx=entry,
    )
    client.call(engine_contract.record_engines, request)
