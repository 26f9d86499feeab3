"""What a process of a data plane knows and does, whatever protocol it is asked by."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sized
from pathlib import Path

import msgspec

from mainspring.core.errors import Conflict, Invalid, MainspringError, Unauthenticated
from mainspring.serving import repository
from mainspring.serving.fleet import Fleet, load_fleet
from mainspring.serving.metrics import Counts, Metrics, added_up
from mainspring.serving.prediction import Predictor
from mainspring.serving.recorder import Recorder, SegmentLimits
from mainspring.serving.siblings import Siblings
from mainspring.serving.snapshot import LogSettings, Snapshot, read_snapshot, write_snapshot

FIXED = ("deployment", "host", "port", "grpc_port", "workers", "nonce", "access_log", "metrics")
"""What a running data plane cannot change; its launcher starts another one instead."""
KNOWN_TOKENS, LONGEST_KNOWN = 1_000, 1_024
"""Whose hashes are kept; a header may be much longer than any token."""

log = logging.getLogger(__name__)


class UnderWay:
    """The requests under way, in whatever protocol they came."""

    def __init__(self, parts: tuple[Sized, ...]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class Plane:
    """The fleet of the last good snapshot, and all that is kept of its requests."""

    def __init__(
        self, path: Path, fleet: Fleet, recorder: Recorder | None, siblings: Siblings
    ) -> None:
        self.path = path
        self.fleet = fleet
        self.recorder = recorder
        self.siblings = siblings
        self.metrics = Metrics(is_on=fleet.snapshot.metrics)
        self.predictor = Predictor(recorder)
        self.tasks: Sized = ()
        self.changed = asyncio.Event()
        """Set, and replaced by another one, when there is another fleet or none is served any more."""
        self.stopping = asyncio.Event()
        self._changing = asyncio.Lock()
        self._hashes: OrderedDict[bytes, str] = OrderedDict()
        self._adopt(fleet)

    async def listen(self) -> None:
        """Do from now on what the other processes of the group ask."""
        await self.siblings.listen(
            {"reload": self._reload_here, "rotate": self._rotate_here, "counts": self._counts_here}
        )

    def watch(self, *parts: Sized) -> None:
        """Know the requests under way by those of each server that calls."""
        self.tasks = self.predictor.tasks = parts[0] if len(parts) == 1 else UnderWay(parts)

    def stop(self) -> None:
        """Say that no more requests are taken."""
        self.stopping.set()
        self._tell_changed()

    def check_token(self, fleet: Fleet, authorization: bytes | None) -> None:
        """Refuse whoever may not predict."""
        if fleet.snapshot.anonymous and authorization is None:
            return
        if self.token_hash(authorization) not in fleet.tokens:
            raise Unauthenticated("a token that may predict is needed: Authorization: Bearer TOKEN")

    def token_hash(self, authorization: bytes | None) -> str:
        """The hash of the bearer token, or of nothing (which no snapshot lists)."""
        if authorization is None:
            return ""
        known = self._hashes.get(authorization)
        if known is not None:
            return known
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            return ""
        found = hashlib.sha256(token.strip()).hexdigest()
        if len(authorization) > LONGEST_KNOWN:
            return found
        self._hashes[authorization] = found
        if len(self._hashes) > KNOWN_TOKENS:
            self._hashes.popitem(last=False)
        return found

    async def reload(self) -> Fleet:
        """Serve what the snapshot says now, here and in the processes beside this one."""
        async with self._changing:
            await self._reload()
            await self._tell("reload")
        return self.fleet

    async def change(self, verb: str, name: str, body: bytes) -> None:
        """Load or unload a model, as far as callers may decide that."""
        repository.change(self.fleet, name, body)
        if self.fleet.snapshot.is_steered:
            repository.refuse_steered(self.fleet, verb, name)
            return
        async with self._changing:
            with self.path.with_suffix(".lock").open("a") as lock:
                # Other processes of the group change the snapshot too, one at a time.
                await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
                snapshot = await asyncio.to_thread(repository.changed, self.path, verb, name)
                fleet = await asyncio.to_thread(load_fleet, snapshot, self.fleet)
                write_snapshot(self.path, snapshot)
            self._adopt(fleet)
            await self._tell("reload")

    async def rotate(self) -> list[str]:
        """Seal the open segments of the prediction log; answer all that wait to be compacted."""
        await self._tell("rotate")
        return await self._rotate_here()

    def counts(self) -> Counts:
        """What was counted in this process."""
        counts = self.metrics.counts()
        counts.in_flight = len(self.tasks)
        if self.recorder is not None:
            counts.log_rows, counts.log_failures = self.recorder.rows, self.recorder.failures
        return counts

    async def group_counts(self) -> Counts:
        """What was counted in all processes of the group; of a dead one, what it left."""
        heard = await self.siblings.ask("counts")
        found = [self.counts()]
        for number, answer in heard.items():
            if answer is not None and not answer.error:
                found.append(msgspec.json.decode(answer.value, type=Counts))
            else:
                found.append(self.siblings.left_by(number))
        return added_up(found)

    def longest_call(self) -> tuple[float, str]:
        """The seconds of the longest call under way, and of which model it is."""
        calls = [
            (served.line.longest_call(), f"{served.source.name} {served.source.version}")
            for served in self.fleet.every()
        ]
        return max(calls, default=(0.0, ""))

    async def _tell(self, command: str) -> None:
        for number, heard in (await self.siblings.ask(command)).items():
            # One that is not there reads the snapshot as it starts.
            if heard is not None and heard.error:
                raise Conflict(f"process {number} of this data plane says: {heard.error}")

    async def _reload(self) -> None:
        try:
            fleet = await asyncio.to_thread(_reloaded, self.path, self.fleet)
        except MainspringError as error:
            raise Conflict(
                f"the old models stay in service: {error.message}", fix=error.fix
            ) from error
        except Exception as error:
            log.exception("the snapshot %s cannot be loaded", self.path)
            raise Conflict(f"the old models stay in service: {error}") from error
        self._adopt(fleet)

    def _adopt(self, fleet: Fleet) -> None:
        for served in fleet.every():
            served.metrics = self.metrics.of(served.source.name, served.source.version)
        if self.recorder is not None and fleet.snapshot.log is not None:
            self.recorder.limits = segment_limits(fleet.snapshot.log)
        self.fleet = fleet
        self._tell_changed()

    def _tell_changed(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    async def _reload_here(self) -> object:
        await self._reload()
        return self.fleet.versions()

    async def _rotate_here(self) -> list[str]:
        if self.recorder is None:
            return []
        return [str(path) for path in await asyncio.to_thread(self.recorder.rotate)]

    async def _counts_here(self) -> object:
        return self.counts()


def segment_limits(settings: LogSettings) -> SegmentLimits:
    """The recorder's limits as the snapshot gives them."""
    return SegmentLimits(
        rows=settings.segment_rows, bytes=settings.segment_bytes, seconds=settings.segment_seconds
    )


def _reloaded(path: Path, current: Fleet) -> Fleet:
    snapshot: Snapshot = read_snapshot(path)
    for name in FIXED:
        if getattr(snapshot, name) != getattr(current.snapshot, name):
            raise Invalid(f"the snapshot changes {name!r}, which needs a new process", field=name)
    folders = [one.log and one.log.folder for one in (snapshot, current.snapshot)]
    if folders[0] != folders[1]:
        raise Invalid("the snapshot changes 'log_folder', which needs a new process", field="log")
    return load_fleet(snapshot, current)
