"""The ASGI app of a data plane: predictions, the repository, health, metrics and control."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from mainspring import __version__
from mainspring.core.errors import Forbidden, MainspringError, NotFound, Unauthenticated
from mainspring.serving import exposition, openapi, repository
from mainspring.serving.access_log import AccessLog, Entry, moment
from mainspring.serving.connection import most_connections
from mainspring.serving.dialect import INVOCATIONS, OPEN_INFERENCE, ROWS, Dialect
from mainspring.serving.fleet import Fleet, ServedModel, tensor_of
from mainspring.serving.http import (
    PLAIN,
    WORTH_DEFLATING,
    BodyWatch,
    Disconnected,
    Overloaded,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    answer,
    refusal,
)
from mainspring.serving.inference import About
from mainspring.serving.plane import Plane
from mainspring.serving.snapshot import is_loopback
from mainspring.serving.statistics import statistics

log = logging.getLogger(__name__)

EXTENSIONS = ["binary_tensor_data", "model_repository", "schedule_policy", "statistics"]
MODELS, REPOSITORY, PREDICT = "/v2/models/", "/v2/repository/", "/predict/"
INVOCATIONS_PATH = "/invocations"
GUARDED = (MODELS, REPOSITORY, PREDICT, INVOCATIONS_PATH)
DIALECTS = {"infer": OPEN_INFERENCE, "predict": ROWS, "invocations": INVOCATIONS}
FAILED = "the model or the server failed on this request"
KNOWN_PATHS = 256
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]+")
"""Nothing in it is sent in another form than it has."""
SMALL_BODY = 64 * 1024

View = Callable[[Request], Awaitable[Reply]]


class DataPlane:
    """Answers over HTTP."""

    def __init__(self, plane: Plane, access_log: AccessLog | None = None) -> None:
        self._plane = plane
        self._access_log = access_log
        self._metrics = plane.metrics
        self.watch = BodyWatch(plane.fleet.snapshot.limits)
        self.most_connections = most_connections(plane.fleet.snapshot.ports)
        self.express: set[Request] = set()
        """The requests under way that have no task of their own."""
        self.known_paths: dict[bytes, str] = {}
        """The targets of predictions that were asked for before, as they are sent."""
        self._paths: dict[str, tuple[str, str | None, str]] = {}
        """What paths mean that were asked for before."""
        self._routes: dict[str, tuple[str, View]] = {
            "/v2": ("GET", self._about),
            "/v2/": ("GET", self._about),
            "/v2/health/live": ("GET", self._live),
            "/v2/health/ready": ("GET", self._ready),
            "/ping": ("GET", self._ping),
            "/version": ("GET", self._version),
            "/health": ("GET", self._health),
            "/metrics": ("GET", self._show_metrics),
            "/openapi.json": ("GET", self._openapi),
            "/v2/models/stats": ("GET", self._all_statistics),
            "/control/reload": ("POST", self._reload),
            "/control/rotate": ("POST", self._rotate),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, self.watch)
        kind = ""
        try:
            reply = await self._dispatch(request)
        except Disconnected:
            return
        except MainspringError as error:
            reply, kind = refusal(error), error.name
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            reply, kind = answer({"error": FAILED}, 500), "model_failed"
        finally:
            if request.size:
                request.release()
        if request.path.startswith(GUARDED) and (kind or request.verb in DIALECTS):
            self._metrics.replied(request.model, reply.status, kind)
            if kind and request.served is not None:
                request.served.metrics.failed(time.perf_counter() - request.began)
        if self._access_log is not None:
            self._access_log.add(_entry(scope, request, reply, kind))
        await reply.send(send)

    def predict(self, request: Request, body: bytes, send: Callable[[Reply], None]) -> None:
        """Answer a prediction that came on the express way."""
        self.express.add(request)

        tell = partial(self._finish, request, send)
        try:
            self._submit(request, body, tell)
        except Exception as error:  # noqa: BLE001  told to the caller
            tell(error)

    def _submit(self, request: Request, body: bytes, tell: Callable[[Any], None]) -> None:
        if len(self._plane.tasks) > self.watch.limits.requests:
            raise Overloaded("as many requests are under way as this process takes")
        request.hold(len(body))
        fleet = self._plane.fleet
        self._admit(fleet, request)
        name, version, request.verb = self._paths[request.path]
        served = fleet.find(name, version) if name else fleet.first()
        request.served, request.model = served, served.source.name
        about = About(now_us=time.time_ns() // 1000, timeout_us=request.timeout_us())
        dialect = DIALECTS[request.verb]
        call = request.call = dialect.decode(served, request, body, about)
        self._plane.predictor.submit(served, call, dialect.encode, request.began, tell)

    def _finish(self, request: Request, send: Callable[[Reply], None], outcome: Any) -> None:
        """Count, and send what came of a request on the express way."""
        self.express.discard(request)
        request.release()
        kind = ""
        if isinstance(outcome, Reply):
            reply = outcome
        elif isinstance(outcome, MainspringError):
            reply, kind = refusal(outcome), outcome.name
        else:
            log.error("POST %s failed", request.path, exc_info=outcome)
            reply, kind = answer({"error": FAILED}, 500), "model_failed"
        served = request.served
        if served is not None:
            spent = time.perf_counter() - request.began
            (served.metrics.failed if kind else served.metrics.answered)(spent)
        self._metrics.replied(request.model, reply.status, kind)
        if self._access_log is not None:
            self._access_log.add(_entry(request.scope, request, reply, kind))
        send(reply)

    async def _dispatch(self, request: Request) -> Reply:
        known = self._routes.get(request.path)
        if len(self._plane.tasks) > self.watch.limits.requests:
            raise Overloaded("as many requests are under way as this process takes")
        if known is not None:
            method, view = known
            return await view(request) if _suits(request, method) else _wrong_method(method)
        return await self._guarded(request, self._plane.fleet)

    async def _guarded(self, request: Request, fleet: Fleet) -> Reply:
        if not request.path.startswith(GUARDED):
            raise NotFound(f"nothing is at {request.path!r}")
        self._admit(fleet, request)
        if request.path.startswith(REPOSITORY):
            return await self._repository(request)
        name, version, verb = found = self._paths.get(request.path) or _model_path(request.path)
        request.verb = verb
        dialect = DIALECTS.get(verb)
        method = "POST" if dialect else "GET"
        if not _suits(request, method):
            return _wrong_method(method)
        served = fleet.find(name, version) if name else fleet.first()
        self._learn(request.path, found)
        request.model = served.source.name
        if dialect is not None:
            request.served = served
            return await self._predict(served, request, dialect)
        if verb == "stats":
            return await self._statistics(name, version)
        if verb == "ready":
            return answer({"name": name, "ready": True})
        return answer(metadata(served, list(fleet.models[name])))

    def _learn(self, path: str, found: tuple[str, str | None, str]) -> None:
        """Remember a path at which there is something: those of callers' errors are without end."""
        if path not in self._paths and len(self._paths) < KNOWN_PATHS:
            self._paths[path] = found
            if found[2] in DIALECTS and path.isascii() and PLAIN_PATH.fullmatch(path):
                self.known_paths[path.encode()] = path

    def _admit(self, fleet: Fleet, request: Request) -> None:
        self._plane.check_token(fleet, request.header(b"authorization"))
        if fleet.snapshot.anonymous:
            check_origin(request.header(b"origin"))

    async def _predict(self, served: ServedModel, request: Request, dialect: Dialect) -> Reply:
        """Read the request in its dialect, compute, record, and answer in the same."""
        body = await request.body()
        about = About(now_us=time.time_ns() // 1000, timeout_us=request.timeout_us())
        if len(body) <= SMALL_BODY:
            call = dialect.decode(served, request, body, about)
        else:
            call = await asyncio.to_thread(dialect.decode, served, request, body, about)
        request.call = call
        reply: Reply = await self._plane.predictor.infer(
            served, call, dialect.encode, request.began
        )
        served.metrics.answered(time.perf_counter() - request.began)
        return reply if len(reply.body) < WORTH_DEFLATING else await request.deflated(reply)

    async def _repository(self, request: Request) -> Reply:
        if request.method != "POST":
            return _wrong_method("POST")
        match request.path.removeprefix(REPOSITORY).split("/"):
            case ["index"]:
                return answer(repository.index(self._plane.fleet, await request.body()))
            case ["models", name, "load" | "unload" as verb] if name:
                await self._plane.change(verb, name, await request.body())
                return answer({})
        raise NotFound(f"nothing is at {request.path!r}")

    async def _about(self, _request: Request) -> Reply:
        return answer({"name": "mainspring", "version": __version__, "extensions": EXTENSIONS})

    async def _ping(self, _request: Request) -> Reply:
        return Reply(200, b"\n", PLAIN)

    async def _version(self, _request: Request) -> Reply:
        return Reply(200, __version__.encode(), PLAIN)

    async def _all_statistics(self, request: Request) -> Reply:
        self._admit(self._plane.fleet, request)
        return await self._statistics(None, None)

    async def _statistics(self, name: str | None, version: str | None) -> Reply:
        counts = await self._plane.group_counts()
        return answer(statistics(self._plane.fleet, counts, name, version))

    async def _live(self, _request: Request) -> Reply:
        return answer({"live": True})

    async def _ready(self, _request: Request) -> Reply:
        return answer({"ready": True})

    async def _openapi(self, _request: Request) -> Reply:
        return answer(openapi.document())

    async def _health(self, _request: Request) -> Reply:
        snapshot = self._plane.fleet.snapshot
        counts = await self._plane.group_counts()
        return answer(
            {
                "deployment": snapshot.deployment,
                "nonce": snapshot.nonce,
                "pid": os.getppid(),
                "worker": os.getpid(),
                "models": self._plane.fleet.versions(),
                "log": {"rows": counts.log_rows, "failures": counts.log_failures},
            }
        )

    async def _show_metrics(self, _request: Request) -> Reply:
        counts = await self._plane.group_counts()
        return Reply(200, exposition.render(counts).encode(), exposition.TEXT.encode())

    async def _reload(self, request: Request) -> Reply:
        self._check_control(request)
        fleet = await self._plane.reload()
        self.watch.limits = fleet.snapshot.limits
        return answer({"models": fleet.versions()})

    async def _rotate(self, request: Request) -> Reply:
        self._check_control(request)
        return answer({"sealed": await self._plane.rotate()})

    def _check_control(self, request: Request) -> None:
        found = self._plane.token_hash(request.header(b"authorization"))
        if not hmac.compare_digest(found, self._plane.fleet.snapshot.control):
            raise Unauthenticated("the control token is needed: Authorization: Bearer TOKEN")


def metadata(served: ServedModel, versions: list[str]) -> dict[str, object]:
    """What a model takes and gives; one that declares nothing takes anything."""
    signature = served.model.signature
    return {
        "name": served.source.name,
        "versions": versions,
        "platform": f"mainspring_{served.model.name}",
        "inputs": [tensor_of(column) for column in signature.inputs],
        "outputs": [tensor_of(column) for column in signature.outputs],
    }


def check_origin(origin: bytes | None) -> None:
    """Refuse what a web page of another site has a browser send to this machine, without a token."""
    if origin is None:
        return
    try:
        host = urlsplit(origin.decode()).hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise Forbidden(
            f"the request comes from a web page of {origin.decode(errors='replace')!r}, and no token "
            "is asked for",
            fix="serve with --token-file for pages of other hosts",
        )


def _model_path(path: str) -> tuple[str, str | None, str]:
    """The name, the version and the verb of a path; without a name it is the first model."""
    if path == INVOCATIONS_PATH:
        return "", None, "invocations"
    if path.startswith(PREDICT):
        verb, parts = "predict", path.removeprefix(PREDICT).split("/")
    else:
        verb, parts = "", path.removeprefix(MODELS).split("/")
        if len(parts) > 1 and parts[-1] in ("infer", "ready", "stats"):
            verb = parts.pop()
    match parts:
        case [name] if name:
            return name, None, verb
        case [name, "versions", version] if name and version:
            return name, version, verb
    raise NotFound(f"nothing is at {path!r}")


def _entry(scope: Scope, request: Request, reply: Reply, kind: str) -> Entry:
    client, call = scope.get("client"), request.call
    entry = Entry(
        at=moment(),
        protocol=f"HTTP/{scope['http_version']}",
        method=request.method,
        path=request.path,
        status=reply.status,
        seconds=round(time.perf_counter() - request.began, 6),
        received=request.size,
        sent=len(reply.body),
        client=client[0] if client else "",
        model=request.model,
        error=kind,
    )
    if call is not None:
        entry.id, entry.rows = call.id, call.rows
    return entry


def _suits(request: Request, wanted: str) -> bool:
    return request.method == wanted or (request.method == "HEAD" and wanted == "GET")


def _wrong_method(wanted: str) -> Reply:
    reply = answer({"error": f"only {wanted} is understood here"}, 405)
    reply.headers.append((b"allow", wanted.encode()))
    return reply
