"""The ASGI app of a data plane: predictions, the repository, health, metrics and control."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
from collections.abc import Awaitable, Callable, Sized
from pathlib import Path

from mainspring import __version__
from mainspring.core.errors import (
    Conflict,
    Invalid,
    MainspringError,
    NotFound,
    Unauthenticated,
)
from mainspring.serving import repository
from mainspring.serving.dialect import INVOCATIONS, OPEN_INFERENCE, ROWS
from mainspring.serving.fleet import Fleet, ServedModel, load_fleet
from mainspring.serving.http import (
    PLAIN,
    BodyWatch,
    Disconnected,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    answer,
    refusal,
)
from mainspring.serving.metrics import TEXT, Metrics
from mainspring.serving.prediction import Predictor
from mainspring.serving.protocol import REQUEST_ID
from mainspring.serving.recorder import Recorder, SegmentLimits
from mainspring.serving.snapshot import Snapshot, read_snapshot

log = logging.getLogger(__name__)

FIXED = ("deployment", "host", "port", "nonce", "log_folder")
"""What a running data plane cannot change; the supervisor starts another one instead."""

EXTENSIONS = ["binary_tensor_data", "model_repository"]
MODELS, REPOSITORY, PREDICT = "/v2/models/", "/v2/repository/", "/predict/"
INVOCATIONS_PATH = "/invocations"
GUARDED = (MODELS, REPOSITORY, PREDICT, INVOCATIONS_PATH)
DIALECTS = {"infer": OPEN_INFERENCE, "predict": ROWS, "invocations": INVOCATIONS}

View = Callable[[Request], Awaitable[Reply]]


class DataPlane:
    """Answers predictions from the fleet of the last good snapshot."""

    def __init__(self, path: Path, fleet: Fleet, recorder: Recorder) -> None:
        self._path = path
        self._fleet = fleet
        self._recorder = recorder
        self._metrics = Metrics()
        self._watch = BodyWatch(fleet.snapshot.body_seconds)
        self._predictor = Predictor(recorder, self._metrics)
        self._reloading = asyncio.Lock()
        self._routes: dict[str, tuple[str, View]] = {
            "/v2": ("GET", self._about),
            "/v2/": ("GET", self._about),
            "/v2/health/live": ("GET", self._live),
            "/v2/health/ready": ("GET", self._ready),
            "/ping": ("GET", self._ping),
            "/version": ("GET", self._version),
            "/health": ("GET", self._health),
            "/metrics": ("GET", self._show_metrics),
            "/control/reload": ("POST", self._reload),
            "/control/rotate": ("POST", self._rotate),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive, self._watch)
        try:
            reply = await self._dispatch(request)
        except Disconnected:
            return
        except MainspringError as error:
            reply = refusal(error)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            reply = answer({"error": "the model or the server failed on this request"}, 500)
        if request.path.endswith("/infer") or request.path.startswith((PREDICT, INVOCATIONS_PATH)):
            self._metrics.requests[reply.status] += 1
        await reply.send(send)

    def watch(self, tasks: Sized) -> None:
        """Know the requests under way by the tasks of the server that calls this app."""
        self._predictor.tasks = tasks

    async def tick(self) -> None:
        """Seal old segments and give up bodies that do not come, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._recorder.limits.seconds))
            self._recorder.rotate_if_due()
            self._watch.look()

    async def _dispatch(self, request: Request) -> Reply:
        known = self._routes.get(request.path)
        if known is not None:
            method, view = known
            return await view(request) if request.method == method else _wrong_method(method)
        if not request.path.startswith(GUARDED):
            raise NotFound(f"nothing is at {request.path!r}")
        fleet = self._fleet
        if _token_hash(request) not in fleet.tokens:
            raise Unauthenticated("a token that may predict is needed: Authorization: Bearer TOKEN")
        if request.path.startswith(REPOSITORY):
            return await self._repository(fleet, request)
        name, version, verb = _model_path(request.path)
        dialect = DIALECTS.get(verb)
        method = "POST" if dialect else "GET"
        if request.method != method:
            return _wrong_method(method)
        served = fleet.find(name, version) if name else fleet.first()
        if dialect is not None:
            return await self._predictor.answer(served, request, dialect)
        if verb == "ready":
            return answer({"name": name, "ready": True})
        return answer(_metadata(served, list(fleet.models[name])))

    async def _repository(self, fleet: Fleet, request: Request) -> Reply:
        if request.method != "POST":
            return _wrong_method("POST")
        match request.path.removeprefix(REPOSITORY).split("/"):
            case ["index"]:
                return answer(repository.index(fleet, await request.body()))
            case ["models", name, "load" | "unload" as verb] if name:
                return answer(repository.change(fleet, verb, name, await request.body()))
        raise NotFound(f"nothing is at {request.path!r}")

    async def _about(self, _request: Request) -> Reply:
        return answer({"name": "mainspring", "version": __version__, "extensions": EXTENSIONS})

    async def _ping(self, _request: Request) -> Reply:
        return Reply(200, b"\n", PLAIN)

    async def _version(self, _request: Request) -> Reply:
        return Reply(200, __version__.encode(), PLAIN)

    async def _live(self, _request: Request) -> Reply:
        return answer({"live": True})

    async def _ready(self, _request: Request) -> Reply:
        return answer({"ready": True})

    async def _health(self, _request: Request) -> Reply:
        snapshot = self._fleet.snapshot
        return answer(
            {
                "deployment": snapshot.deployment,
                "nonce": snapshot.nonce,
                "pid": os.getpid(),
                "models": self._fleet.versions(),
                "log": {"rows": self._recorder.rows, "failures": self._recorder.failures},
            }
        )

    async def _show_metrics(self, _request: Request) -> Reply:
        return Reply(200, self._metrics.render(self._recorder).encode(), TEXT.encode())

    async def _reload(self, request: Request) -> Reply:
        self._check_control(request)
        async with self._reloading:
            try:
                fleet = await asyncio.to_thread(_reloaded, self._path, self._fleet)
            except MainspringError as error:
                raise Conflict(
                    f"the old models stay in service: {error.message}", fix=error.fix
                ) from error
            except Exception as error:
                log.exception("the snapshot %s cannot be loaded", self._path)
                raise Conflict(f"the old models stay in service: {error}") from error
            self._recorder.limits = segment_limits(fleet.snapshot)
            self._watch.seconds = fleet.snapshot.body_seconds
            self._fleet = fleet
        return answer({"models": fleet.versions()})

    async def _rotate(self, request: Request) -> Reply:
        self._check_control(request)
        sealed = await asyncio.to_thread(self._recorder.rotate)
        return answer({"sealed": [str(path) for path in sealed]})

    def _check_control(self, request: Request) -> None:
        if not hmac.compare_digest(_token_hash(request), self._fleet.snapshot.control):
            raise Unauthenticated("the control token is needed: Authorization: Bearer TOKEN")


def segment_limits(snapshot: Snapshot) -> SegmentLimits:
    """The recorder's limits as the snapshot gives them."""
    return SegmentLimits(rows=snapshot.segment_rows, seconds=snapshot.segment_seconds)


def _reloaded(path: Path, current: Fleet) -> Fleet:
    snapshot = read_snapshot(path)
    for name in FIXED:
        if getattr(snapshot, name) != getattr(current.snapshot, name):
            raise Invalid(f"the snapshot changes {name!r}, which needs a new process", field=name)
    return load_fleet(snapshot, current)


def _token_hash(request: Request) -> str:
    """The hash of the bearer token, or of nothing (which no snapshot lists)."""
    scheme, _, token = (request.header(b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token.strip():
        return ""
    return hashlib.sha256(token.strip()).hexdigest()


def _model_path(path: str) -> tuple[str, str | None, str]:
    """The name, the version and the verb of a path; without a name it is the first model."""
    if path == INVOCATIONS_PATH:
        return "", None, "invocations"
    if path.startswith(PREDICT):
        verb, parts = "predict", path.removeprefix(PREDICT).split("/")
    else:
        verb, parts = "", path.removeprefix(MODELS).split("/")
        if len(parts) > 1 and parts[-1] in ("infer", "ready"):
            verb = parts.pop()
    match parts:
        case [name] if name:
            return name, None, verb
        case [name, "versions", version] if name and version:
            return name, version, verb
    raise NotFound(f"nothing is at {path!r}")


def _metadata(served: ServedModel, versions: list[str]) -> dict[str, object]:
    outputs = {**served.outputs, REQUEST_ID: "BYTES"}
    return {
        "name": served.source.name,
        "versions": versions,
        "platform": f"mainspring_{served.model.name}",
        "inputs": [_column(name, datatype) for name, datatype in served.inputs.items()],
        "outputs": [_column(name, datatype) for name, datatype in outputs.items()],
    }


def _column(name: str, datatype: str) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _wrong_method(wanted: str) -> Reply:
    reply = answer({"error": f"only {wanted} is understood here"}, 405)
    reply.headers.append((b"allow", wanted.encode()))
    return reply
