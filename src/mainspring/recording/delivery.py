"""From write-ahead files to operations: in order, in batches, and exactly once.

Exactly once, because each operation may be sent again without effect: points are told apart by their
microsecond, everything else by an id or a digest of its own. So a place that was not written down
before the process died only costs time.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.clock import utc_now
from mainspring.core.errors import Forbidden, Invalid, MainspringError, Unauthenticated
from mainspring.core.home import Taken
from mainspring.core.operation import FileClient, Operation
from mainspring.recording import records
from mainspring.recording.printed import PrintedText
from mainspring.recording.records import (
    Data,
    Described,
    Ended,
    Kept,
    Opened,
    Printed,
    Record,
    Renamed,
    Resumed,
    Texts,
    Trained,
    Values,
)
from mainspring.recording.spool import Place, SpoolFolder, is_resumed_after, read_frames
from mainspring.tracking import (
    artifact_contract,
    contract,
    dataset_contract,
    model_contract,
    surroundings_contract,
)
from mainspring.tracking.artifact_contract import PutArtifact
from mainspring.tracking.contract import (
    FinishRun,
    LogRun,
    OpenRun,
    Series,
    UpdateRun,
    to_wire,
)

READ_BYTES = 2 * 2**20
MAX_POINTS = 5_000
LIVE = dt.timedelta(seconds=60)
"""A run whose opening arrives later than this was not seen beginning: it is not attested."""

log = logging.getLogger("mainspring.run")


_Ending = tuple[Path, Place, Ended]
"""The end of a run as one process told it, and the place behind it in that process's file."""
OPERATIONS: dict[type[Record], Operation[Any, Any]] = {
    Described: surroundings_contract.describe_run,
    Data: dataset_contract.log_dataset,
    Trained: model_contract.log_model,
}


def _attested(request: OpenRun) -> OpenRun:
    """Say of a run whose opening arrives late that nobody saw it begin."""
    late = utc_now() - (request.started_at or utc_now()) > LIVE
    return msgspec.structs.replace(request, attested=False) if late else request


def _files(record: Record) -> list[str]:
    """The digests of the bytes that belong to a record."""
    match record:
        case Kept(file):
            return [file.digest]
        case Data(request):
            return [request.file] if request.file is not None else []
        case Trained(request):
            return [file.digest for file in request.files]
    return []


def is_away(error: MainspringError) -> bool:
    """Whether the error says nothing about what was sent, which then stays where it is."""
    if isinstance(error, (Unauthenticated, Taken)) or error.status >= 500:
        return True
    # Roles and workspaces come and go; a run of somebody else stays theirs.
    return error.field == "workspace" or (isinstance(error, Forbidden) and error.field is None)


@dataclass(slots=True)
class _Batch:
    """Values and texts that go in one request."""

    columns: dict[str, tuple[list[int], list[int], list[float]]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: int = 0

    def add(self, record: Values | Texts) -> None:
        if isinstance(record, Texts):
            self.params.update(record.params)
            self.tags.update(record.tags)
            return
        for key, value in record.values.items():
            steps, at, values = self.columns.setdefault(key, ([], [], []))
            steps.append(record.step)
            at.append(record.at)
            values.append(value)
        self.points += len(record.values)

    def takes(self, record: Record) -> bool:
        """Whether the record may go into the same request."""
        if isinstance(record, Texts):
            # A parameter that changes must be seen to, and not be overwritten here.
            same = all(self.params.get(key, text) == text for key, text in record.params.items())
            return same and len(self.params) < 500 and len(self.tags) < 500
        return isinstance(record, Values) and self.points < MAX_POINTS

    def series(self) -> list[Series]:
        return [
            Series(key=key, steps=steps, at=at, values=[to_wire(value) for value in values])
            for key, (steps, at, values) in self.columns.items()
        ]

    def __bool__(self) -> bool:
        return bool(self.points or self.params or self.tags)


class Delivery:
    """Ships what one run's folder holds; only the process that owns the folder may."""

    def __init__(self, folder: SpoolFolder, run: str) -> None:
        self.folder = folder
        self.run = run
        self.ended = False
        self.refusals: list[MainspringError] = []
        """What the server would not take; it is kept aside, and nothing waits for it."""
        self.taken = 0
        """What the server has taken or refused so far: requests and files."""
        self._read: dict[Path, Place] = {}
        self._printed = PrintedText(folder.path)

    def ship(self, client: FileClient) -> int:
        """Ship what there is; answers how many records. Raises if the server is away."""
        shipped = 0
        endings: list[_Ending] = []
        for segment in self.folder.segments():
            count, ended = self._ship_segment(client, segment)
            shipped += count
            if ended is not None:
                endings.append(ended)
        if self._printed.is_due():
            self._seal(client)
        if endings and not shipped:  # the other processes' last words come before
            self._end(client, endings)
            shipped = len(endings)
        self._settle()
        return shipped

    def _end(self, client: FileClient, endings: list[_Ending]) -> None:
        """End the run as it ended last, unless a process has gone on with it since."""
        last, _, record = endings[-1]
        if not is_resumed_after(last, self.folder.segments()):
            self._seal(client)
            self._call(client, contract.finish_run, FinishRun(run=self.run, status=record.status))
            self.ended = True
        for segment, place, _ in endings:
            self._read[segment] = place

    def ship_last(self, client: FileClient) -> None:
        """Ship what is left of a run whose processes are gone, and clear its folder."""
        while self.ship(client):
            pass
        self._seal(client)
        self._settle(torn=not self.folder.has_writers())
        self.clear()

    def clear(self) -> None:
        """Remove the folder if everything is shipped and nobody writes there any more."""
        if self.folder.drained() and not self.folder.has_writers():
            self.folder.remove()

    def _ship_segment(self, client: FileClient, segment: Path) -> tuple[int, _Ending | None]:
        count, batch = 0, _Batch()
        place = self._read.get(segment) or self.folder.place(segment)
        reached = place
        for record, offset in self._records(segment, place.offset):
            if not batch.takes(record):
                self._send_batch(client, batch)
                self._read[segment] = reached
                batch = _Batch()
            if isinstance(record, Ended):
                self._send_batch(client, batch)
                self._read[segment] = reached
                return count, (segment, reached._replace(offset=offset), record)
            if isinstance(record, (Values, Texts)):
                batch.add(record)
            elif isinstance(record, Printed):
                reached = self._printed.add(segment, reached, record)
            else:
                self._send(client, record)
            reached = reached._replace(offset=offset)
            if not batch:
                self._read[segment] = reached
            count += 1
        self._send_batch(client, batch)
        self._read[segment] = reached
        return count, None

    def _records(self, segment: Path, offset: int) -> Iterator[tuple[Record, int]]:
        for payload, behind in read_frames(segment, offset, READ_BYTES):
            try:
                record = records.decode(payload)
            except Invalid as error:
                self._keep_aside("spool.read", payload.hex(), error)
                continue
            yield record, behind

    def _send(self, client: FileClient, record: Record) -> None:
        for digest in _files(record):
            self._upload(client, digest)
        operation, request = self._asked(record)
        self._call(client, operation, request)

    def _asked(self, record: Record) -> tuple[Operation[Any, Any], Any]:
        """The operation that a record stands for."""
        run = self.run
        match record:
            case Opened(request):
                return contract.open_run, _attested(request)
            case Resumed():
                return contract.update_run, UpdateRun(run=run, status="running")
            case Renamed(name):
                return contract.update_run, UpdateRun(run=run, name=name)
            case Kept(file):
                return artifact_contract.put_artifact, PutArtifact(place=f"runs/{run}", file=file)
            case Described() | Data() | Trained():
                return OPERATIONS[type(record)], record.request
        raise AssertionError(record)

    def _send_batch(self, client: FileClient, batch: _Batch) -> None:
        if not batch:
            return
        series = batch.series()
        try:
            whole = LogRun(run=self.run, series=series, params=batch.params, tags=batch.tags)
            client.call(contract.log_run, whole)
            self.taken += 1
        except MainspringError as error:
            if is_away(error):
                raise
            # Something in it is refused: send it in pieces, so that the rest arrives.
            for one in series:
                self._call(client, contract.log_run, LogRun(run=self.run, series=[one]))
            for key, text in batch.params.items():
                self._call(client, contract.log_run, LogRun(run=self.run, params={key: text}))
            for key, text in batch.tags.items():
                self._call(client, contract.log_run, LogRun(run=self.run, tags={key: text}))

    def _upload(self, client: FileClient, digest: str) -> None:
        path = self.folder.file(digest)
        if path.exists():
            client.upload(digest, path)
            self.taken += 1
            path.unlink(missing_ok=True)

    def _seal(self, client: FileClient) -> None:
        for file in self._printed.seal(self.folder):
            self._upload(client, file.digest)
            self._call(
                client,
                artifact_contract.put_artifact,
                PutArtifact(place=f"runs/{self.run}", file=file),
            )

    def _call(self, client: FileClient, operation: Operation[Any, Any], request: Any) -> None:
        try:
            client.call(operation, request)
        except MainspringError as refusal:
            if is_away(refusal):
                raise
            self._keep_aside(operation.name, msgspec.to_builtins(request), refusal)
        self.taken += 1

    def _keep_aside(self, operation: str, request: object, refusal: MainspringError) -> None:
        """Write down what the server does not take, so that nothing is lost and nothing waits."""
        if not self.refusals:
            log.warning("run %s: %s: %s", self.run, operation, refusal.message)
        self.refusals.append(refusal)
        aside = self.folder.path.parent / "refused"
        aside.mkdir(exist_ok=True)
        line = {
            "at": utc_now().isoformat(),
            "operation": operation,
            "request": request,
            "message": refusal.message,
        }
        with (aside / f"{self.run}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def _settle(self, *, torn: bool = False) -> None:
        """Write down how far everything is shipped, and delete files that are done with."""
        segments = self.folder.segments()
        for place, segment in enumerate(segments):
            read = self._read.get(segment)
            if read is None:
                continue
            written = self._printed.safe(segment, read)
            if torn and not self._printed:
                # No process will write the rest of a record that is not whole.
                size = segment.stat().st_size
                read = read._replace(offset=size)
                written = written._replace(offset=size)
            written = written._replace(sent=read.offset)
            if written != self.folder.place(segment):
                self.folder.set_place(segment, written)
            later = segments[place + 1 : place + 2]
            followed = later and later[0].name.partition("-")[0] == segment.name.partition("-")[0]
            if followed and written.offset >= segment.stat().st_size:
                segment.unlink(missing_ok=True)
                segment.with_suffix(".at").unlink(missing_ok=True)
                self._read.pop(segment, None)
