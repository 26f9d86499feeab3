"""Makes processes be what the deployments want: started, swapped, restarted, adopted, ended."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.blobs import BlobStore
from mainspring.core.errors import MainspringError, NotFound, Unavailable
from mainspring.core.operation import Client
from mainspring.deployment import contract
from mainspring.deployment.contract import DeploymentState, ListDeployments, Placement, Report
from mainspring.deployment.contract import Process as DataPlane
from mainspring.deployment.place import (
    Place,
    control_token,
    limits,
    log_settings,
    new_place,
    place_of,
)
from mainspring.deployment.process import (
    ask,
    end,
    is_alive,
    is_stopped,
    last_words,
    launch,
    start_time,
)
from mainspring.deployment.unpacking import UnpackedModels
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameVersion
from mainspring.registry.engine_contract import VersionEngines, show_engines
from mainspring.registry.model import ModelVersion
from mainspring.serving.group import read_state
from mainspring.serving.snapshot import Choice, Snapshot, Source, read_snapshot, write_snapshot

BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 15.0, 30.0)
STEADY_S = 3.0
"""A process that was ready, and ran this long, has a successor at once when it dies."""
MOST_LOOKS = 16
"""Deployments that are looked at at once."""
PATIENCE_S = 0.2
"""So long a look at all of them waits for those that take longer."""
STOPPED_S = 0.4
"""One that was stopped so long ago is replaced: what it leads is looked after by nobody."""
DRAIN_S = 25.0
ENGINES_S = 5.0
"""How often is asked whether the engines of a version were timed meanwhile."""
HOPELESS = 3
"""After so many deaths in a row a deployment counts as failed; it is tried on all the same."""

log = logging.getLogger("mainspring.supervisor")


@dataclass(slots=True)
class _Watch:
    """What this supervisor remembers of one deployment between its looks."""

    child: subprocess.Popen[bytes] | None = None
    process: DataPlane | None = None
    deaths: int = 0
    started_at: float = 0.0
    due: dict[str, Any] | None = None
    """What is to be reported of it."""
    look: Future[None] | None = None
    """The last look at it, which may take as long as a model needs to load."""
    not_before: float = 0.0
    ended_at: float | None = None
    stopped_at: float | None = None
    """Since when it has been seen stopped, as by SIGSTOP."""
    reason: str = ""
    """Why it was ended, if not by itself."""
    versions: dict[int, ModelVersion] = field(default_factory=dict)
    engines: dict[int, VersionEngines] = field(default_factory=dict)
    engines_after: float = 0.0
    """When to ask again for the engines of a version that had none."""

    def is_free(self) -> bool:
        """Whether nobody looks at it now."""
        return self.look is None or self.look.done()


class Supervisor:
    """Looks at every deployment of a workspace and sets right what is not as wanted."""

    def __init__(self, home: Path, blobs: BlobStore) -> None:
        self._home = home
        self._files = UnpackedModels(home / "models", blobs)
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._pool = ThreadPoolExecutor(MOST_LOOKS, "supervisor")

    def look(self, client: Client, workspace: str) -> None:
        """One look at all deployments of the workspace; one that takes long keeps no other from its own."""
        # Before asking what is wanted: what is known by now may be old once a look has ended.
        busy = {key for key, watch in self._watches.items() if not watch.is_free()}
        looks = []
        for placement in client.call(contract.placements, ListDeployments(limit=1000)):
            key = workspace, placement.deployment.name
            if key in busy:
                continue
            watch = self._watches.setdefault(key, _Watch())
            watch.look = self._pool.submit(self._look_at, client, workspace, placement)
            looks.append(watch.look)
        for one in wait(looks, PATIENCE_S).done:
            one.result()

    def _look_at(self, client: Client, workspace: str, placement: Placement) -> None:
        try:
            self._set_right(client, workspace, placement)
        except (MainspringError, OSError) as error:
            # One that cannot be helped must not keep the others from being looked after.
            message = str(error)[:2000]
            if placement.deployment.message != message:
                log.warning("%s: %s", placement.deployment.name, message)
                self._report(client, placement, "failed", message=message)

    def _set_right(self, client: Client, workspace: str, placement: Placement) -> None:
        watch = self._watches[workspace, placement.deployment.name]
        if watch.process is None:
            watch.process = placement.process
        if watch.child is not None:
            watch.child.poll()  # reap it, else a dead child looks alive as a zombie
        if watch.due is not None:
            self._tell_due(client, placement, watch)
        elif placement.deployment.wanted == "stopped":
            self._stop(client, placement, watch)
        elif _is_running(watch):
            self._steer(client, workspace, placement, watch)
        else:
            self._start(client, workspace, placement, watch)

    def end_all(self) -> None:
        """End every process and wait till they are gone: the server shuts down."""
        for process in self._processes():
            end(process)  # a look that waits for its answer ends by that
        self._pool.shutdown(cancel_futures=True)
        processes = self._processes()
        for process in processes:
            end(process)
        deadline = time.monotonic() + DRAIN_S
        while any(map(is_alive, processes)) and time.monotonic() < deadline:
            for watch in self._watches.values():
                if watch.child is not None:
                    watch.child.poll()
            time.sleep(0.02)
        for process in processes:
            end(process, at_once=True)

    def _processes(self) -> list[DataPlane]:
        return [watch.process for watch in self._watches.values() if watch.process is not None]

    def _folder(self, workspace: str, name: str) -> Path:
        folder = self._home / "deployments" / workspace / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _start(self, client: Client, workspace: str, placement: Placement, watch: _Watch) -> None:
        deployment, now = placement.deployment, time.monotonic()
        if watch.process is not None and watch.started_at:
            steady = deployment.state == "ready" and now - watch.started_at > STEADY_S
            watch.deaths = 1 if steady else watch.deaths + 1
            watch.not_before = now + BACKOFF_S[min(watch.deaths - 1, len(BACKOFF_S) - 1)]
            watch.started_at = 0.0
        if now < watch.not_before:
            return
        folder = self._folder(workspace, deployment.name)
        adopted = _orphan(folder / "snapshot.json")
        if adopted is not None:
            watch.process, watch.started_at = adopted, now
            self._report(client, placement, "starting", process=adopted)
            return
        place = new_place(deployment.serving, watch.process)
        snapshot = self._snapshot(client, workspace, placement, place)
        write_snapshot(folder / "snapshot.json", snapshot)
        again = deployment.pid is not None and deployment.state != "stopped"
        watch.child = launch(folder / "snapshot.json", folder / "process.log")
        watch.process = DataPlane(
            pid=watch.child.pid,
            started=start_time(watch.child.pid) or 0,
            nonce=snapshot.nonce,
            port=place.port,
            grpc_port=place.grpc_port,
            log_folder=str(folder / "log"),
        )
        watch.started_at, watch.ended_at = now, None
        hopeless = watch.deaths >= HOPELESS
        message = f"its process {deployment.pid} {watch.reason or 'was gone'}" if again else ""
        watch.reason = ""
        watch.due = {
            "state": "failed" if hopeless else "starting",
            "process": watch.process,
            "restarted": again,
            "message": last_words(folder / "process.log") if hopeless else message,
        }
        self._tell_due(client, placement, watch)

    def _tell_due(self, client: Client, placement: Placement, watch: _Watch) -> None:
        """Report what happened; it is tried again if the database is away, and not if it is refused."""
        assert watch.due is not None
        try:
            self._report(client, placement, **watch.due)
        except MainspringError as error:
            if not isinstance(error, Unavailable):
                watch.due = None
            raise
        watch.due = None

    def _steer(self, client: Client, workspace: str, placement: Placement, watch: _Watch) -> None:
        process, deployment = watch.process, placement.deployment
        assert process is not None
        folder = self._folder(workspace, deployment.name)
        self._tell_replaced(client, placement, watch, folder)
        wanted = self._snapshot(client, workspace, placement, place_of(process))
        path = folder / "snapshot.json"
        if deployment.state != "ready" or deployment.served is None:
            self._await_ready(client, placement, watch)
            return
        if (
            path.read_bytes() == msgspec.json.encode(wanted)
            and deployment.served == deployment.version
        ):
            return
        before = path.read_bytes()
        write_snapshot(path, wanted)
        token = control_token(folder)
        status, body = ask(process, "POST", "/control/reload", token, timeout_s=60)
        if status == 200:
            if deployment.served != deployment.version:
                self._report(client, placement, "ready", served=deployment.version)
        elif status:
            path.write_bytes(before)
            message = f"version {deployment.version} was not loaded: {body.get('error', body)}"
            log.error("%s: %s", deployment.name, message)
            self._report(client, placement, "ready", rollout_failed=True, message=message[:2000])

    def _tell_replaced(
        self, client: Client, placement: Placement, watch: _Watch, folder: Path
    ) -> None:
        """Report what the leader of the group has replaced since the last look."""
        assert watch.process is not None
        try:
            state = read_state(folder / "snapshot.json")
        except (OSError, msgspec.DecodeError):
            return
        if state.nonce != watch.process.nonce:
            return
        told = watch.process.replaced
        fresh = [restart for restart in state.restarts if restart.number >= told]
        if fresh:
            watch.process = msgspec.structs.replace(watch.process, replaced=fresh[-1].number + 1)
            watch.due = {
                "state": placement.deployment.state,
                "process": watch.process,
                "replaced": [f"process {restart.worker}: {restart.reason}" for restart in fresh],
            }
            self._tell_due(client, placement, watch)

    def _await_ready(self, client: Client, placement: Placement, watch: _Watch) -> None:
        assert watch.process is not None
        status, body = ask(watch.process, "GET", "/health", timeout_s=2)
        if status != 200:
            return
        if body["nonce"] != watch.process.nonce:
            log.error("port %d is answered by somebody else", watch.process.port)
            return
        served = next(
            int(model["version"])
            for model in body["models"]
            if model["name"] == placement.deployment.model
        )
        self._report(client, placement, "ready", served=served)

    def _stop(self, client: Client, placement: Placement, watch: _Watch) -> None:
        if is_alive(watch.process):
            assert watch.process is not None
            now = time.monotonic()
            if watch.ended_at is None:
                watch.ended_at = now
                end(watch.process)
            elif now - watch.ended_at > DRAIN_S:
                end(watch.process, at_once=True)
        elif placement.deployment.state != "stopped":
            watch.started_at = 0.0
            self._report(client, placement, "stopped")

    def _report(
        self, client: Client, placement: Placement, state: DeploymentState, **more: object
    ) -> None:
        fields = {"deployment": placement.deployment.name, "state": state, **more}
        client.call(contract.report, Report(**fields))  # type: ignore[arg-type]

    def _snapshot(
        self, client: Client, workspace: str, placement: Placement, place: Place
    ) -> Snapshot:
        deployment, serving = placement.deployment, placement.deployment.serving
        watch = self._watches[workspace, deployment.name]
        version = watch.versions.get(deployment.version)
        if version is None:
            request = NameVersion(model=deployment.model, version=deployment.version)
            version = watch.versions[deployment.version] = client.call(
                registry.show_version, request
            )
        folder = self._folder(workspace, deployment.name)
        return Snapshot(
            deployment=deployment.name,
            host="127.0.0.1",
            port=place.port,
            grpc_port=place.grpc_port,
            workers=serving.workers,
            nonce=place.nonce,
            models=(
                Source(
                    name=deployment.model,
                    version=str(version.version),
                    place=str(self._files.unpacked(version.own_digest(), version.files)),
                    digest=version.own_digest(),
                    choice=self._choice(client, version, watch),
                ),
            ),
            tokens=tuple(placement.tokens),
            control=hashlib.sha256(control_token(folder).encode()).hexdigest(),
            log=log_settings(serving, folder),
            limits=limits(serving),
        )

    def _choice(self, client: Client, version: ModelVersion, watch: _Watch) -> Choice | None:
        """The version's conversion, once it has been timed and is to answer anything."""
        number, now = version.version, time.monotonic()
        if number not in watch.engines and now >= watch.engines_after:
            watch.engines_after = now + ENGINES_S
            with contextlib.suppress(NotFound):
                watch.engines[number] = client.call(
                    show_engines, NameVersion(model=version.model, version=number)
                )
        found = watch.engines.get(number)
        if found is None or found.onnx is None:
            return None
        folder = self._files.unpacked(found.onnx.digest, [found.onnx])
        return Choice(folder=str(folder), table=found.table)


def _is_running(watch: _Watch) -> bool:
    """Whether its process lives, and goes on; one that was stopped is killed."""
    process, now = watch.process, time.monotonic()
    if process is None or not is_alive(process):
        return False
    if not is_stopped(process):
        watch.stopped_at = None
    elif watch.stopped_at is None:
        watch.stopped_at = now
    elif now - watch.stopped_at >= STOPPED_S:
        watch.stopped_at, watch.reason = None, "was stopped, and killed for that"
        end(process, at_once=True)
        # Until it is gone it would be taken for one that answers.
        with contextlib.suppress(subprocess.TimeoutExpired):
            if watch.child is not None:
                watch.child.wait(1.0)
        return False
    return True


def _orphan(snapshot: Path) -> DataPlane | None:
    """The data plane that a supervisor started and was killed before it could tell of it."""
    try:
        known = read_snapshot(snapshot)
    except MainspringError:
        return None
    log_folder = known.log.folder if known.log is not None else ""
    asked = DataPlane(pid=0, started=0, nonce=known.nonce, port=known.port, log_folder=log_folder)
    status, body = ask(asked, "GET", "/health", timeout_s=2)
    if status != 200 or not isinstance(body, dict) or body.get("nonce") != known.nonce:
        return None
    started = start_time(body["pid"])
    return (
        None
        if started is None
        else msgspec.structs.replace(asked, pid=body["pid"], started=started)
    )
