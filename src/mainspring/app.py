"""The composition root: settings become a database, performers, clients."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection

from mainspring import stages
from mainspring.administration import contract as administration
from mainspring.administration.actor_store import find_actor
from mainspring.administration.answers import store_answer, stored_answer
from mainspring.administration.contract import NameBlob, RecordBlob
from mainspring.administration.furnishing import furnish
from mainspring.administration.session_store import touch_sessions
from mainspring.administration.sign_in import SignIn
from mainspring.administration.store import (
    AdministrationStore,
    add_workspace,
    workspaces,
)
from mainspring.administration.tokens import touch_tokens
from mainspring.core import event_log
from mainspring.core.access import (
    OUR_SERVICES,
    Actor,
    Caller,
    looks_like_token,
    new_token,
    token_hash,
)
from mainspring.core.blobs import BlobStore, LocalBlobs, canonical_json, chunks_of, digest_of
from mainspring.core.chain import GENESIS
from mainspring.core.checkpoint import Checkpoints
from mainspring.core.clock import utc_now
from mainspring.core.database import Database, metadata
from mainspring.core.errors import (
    Blocked,
    Conflict,
    Forbidden,
    MainspringError,
    NotFound,
    Unauthenticated,
)
from mainspring.core.event_log import workspace_table
from mainspring.core.ids import new_id
from mainspring.core.limits import check_names
from mainspring.core.operation import Operation, checked
from mainspring.core.settings import Settings
from mainspring.core.text import without_hint
from mainspring.core.work import PERFORMERS, Work
from mainspring.migrations import bring_up_to_date

Q = TypeVar("Q")
R = TypeVar("R")

OPERATIONS = stages.operations()
PEOPLES_TABLES = (
    "principal", "ownership", "token", "password", "session",
    "role_grant", "person_group", "group_member", "group_role", "denial",
)  # fmt: skip
SERVICE, TRAINER = OUR_SERVICES
"""The service that reactions act as, and the one that trainings do: it may do less."""


class App:
    """Performs operations on one database; a transaction for each."""

    def __init__(self, settings: Settings, now: Callable[[], dt.datetime] = utc_now) -> None:
        stages.load()
        self.settings = settings
        self._now = now
        settings.home.mkdir(parents=True, exist_ok=True)
        self.database = Database(settings.database_url)
        self.blobs: BlobStore = LocalBlobs(settings.artifacts_folder)
        self.checkpoints = Checkpoints(settings.home.absolute(), settings.audit_folder)
        self.sign_in = SignIn(self.database)
        self._used: dict[str, dt.datetime] = {}
        self._used_sessions: dict[str, dt.datetime] = {}
        self.listeners: list[threading.Event] = []
        """Set after each commit that added jobs."""

    def prepare(self, *, migrate: bool = True) -> str:
        """Bring the schema up to date; a new database also gets its first workspace."""
        done = bring_up_to_date(self.database, migrate=migrate and self.database.is_sqlite)
        with self.database.write(decision=True) as connection:
            if not workspaces(connection):
                add_workspace(connection, "default", self._now())
        return done

    def reset(self) -> None:
        """Forget everything but people, services, their roles and tokens: for tests alone."""
        kept = {workspace_table.name, *PEOPLES_TABLES}
        with self.database.write(decision=True) as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name not in kept:
                    connection.execute(table.delete())
            fresh = {"chain_sequence": 0, "chain_hash": GENESIS}
            connection.execute(workspace_table.update().values(fresh))
            for workspace in connection.execute(workspace_table.select()).all():
                furnish(connection, workspace.id, self._now())

    def close(self) -> None:
        """Let go of the database, and of the threads that check passwords."""
        self.sign_in.close()
        self.database.close()

    def token_of(self, kind: str, name: str, role: str) -> str:
        """A fresh token of a person or service that gets the role everywhere; for start-up only."""
        now, public_id = self._now(), new_id()
        secret = new_token(public_id)
        with self.database.write(decision=True) as connection:
            for workspace in workspaces(connection):
                store = _administration(connection, workspace.name)
                try:
                    principal = store.principal_key(kind, name)
                except NotFound:
                    principal = store.add_principal(kind, name, now)
                store.grant(principal, role, SERVICE, now)
            store = _administration(connection, "default")
            store.add_token(
                {
                    "public_id": public_id,
                    "principal_id": principal,
                    "hash": token_hash(secret),
                    "recorded_at": now,
                }
            )
            actor = Actor(kind="service", key=0, name=SERVICE, permissions=frozenset())
            work = Work(
                connection=connection,
                actor=actor,
                workspace_id=workspace_key(connection, "default"),
                workspace="default",
                now=now,
                request_id=new_id(),
                blobs=self.blobs,
                checkpoints=self.checkpoints.noted(),
            )
            work.announce("token.created", ("token", public_id), owner=name, role=role)
        return secret

    def run(self, operation: Operation[Q, R], request: Q, caller: Caller) -> R:
        """Perform the operation: actor, permission, transaction, answer."""
        assert operation.name in PERFORMERS, operation.name
        if operation.reads:
            with self.database.read() as connection:
                work = self._work(connection, operation, request, caller)
                return self._perform(work, operation, request)
        try:
            if operation is administration.set_password:
                request = self._prepared(operation, request, caller)
            with self.database.write(decision=operation.decision) as connection:
                work, answer = self.run_in(connection, operation, request, caller)
        except (Blocked, Forbidden) as refusal:
            self.log_refusal(operation, refusal, caller)
            raise
        if work.jobs_added:
            self.tell_of_jobs()
        return answer

    def _prepared(self, operation: Operation[Q, R], request: Any, caller: Caller) -> Any:
        """Do what is slow before the transaction begins, and for those alone who may ask for it."""

        @contextmanager
        def reading() -> Iterator[Work]:
            with self.database.read() as connection:
                yield self._work(connection, operation, request, caller)

        return self.sign_in.prepared(reading, request)

    def run_in(
        self, connection: Connection, operation: Operation[Q, R], request: Q, caller: Caller
    ) -> tuple[Work, R]:
        """Perform a changing operation in a transaction that somebody else commits."""
        work = self._work(connection, operation, request, caller)
        if event_log.lock(connection, work.workspace_id) not in (None, work.actor.erasures):
            # Somebody was erased while we waited: the actor may be another by now, or nobody.
            work = self._work(connection, operation, request, caller)
        work.now = self._now()  # not before the lock: events stand in the order of their times
        return work, self._answer(work, operation, request, keep=caller.named)

    def tell_of_jobs(self) -> None:
        """Wake those who wait for jobs; after the commit that added some."""
        for listener in self.listeners:
            listener.set()

    def note_used_tokens(self) -> None:
        """Write down when tokens and sessions were last used: once in a while, not with every request."""
        used, self._used = self._used, {}
        sessions, self._used_sessions = self._used_sessions, {}
        if used or sessions:
            with self.database.write() as connection:
                touch_tokens(connection, dict(list(used.items())))
                touch_sessions(connection, dict(list(sessions.items())))

    def _work(
        self, connection: Connection, operation: Operation[Any, Any], request: Any, caller: Caller
    ) -> Work:
        # Before the database is first looked at: events that a checkpoint vouches for are seen then.
        checkpoints = self.checkpoints.noted()
        actor, workspace_id = _identify(connection, caller, self._now())
        actor.require(operation.allow, operation.name)
        check_names(actor, operation, request)
        if actor.token is not None:
            self._used[actor.token] = self._now()
        if actor.session is not None:
            self._used_sessions[actor.session] = self._now()
        return Work(
            connection=connection,
            actor=actor,
            workspace_id=workspace_id,
            workspace=caller.workspace,
            now=self._now(),
            request_id=caller.request_id,
            blobs=self.blobs,
            checkpoints=checkpoints,
            cause=caller.cause,
        )

    def _perform(self, work: Work, operation: Operation[Q, R], request: Q) -> R:
        try:
            answer: R = PERFORMERS[operation.name](work, request)
        except NotFound as error:
            if work.actor.models is None:
                raise
            # The nearest name may be one that the token is not to know of.
            raise NotFound(without_hint(error.message), field=error.field) from None
        return answer

    def _answer(self, work: Work, operation: Operation[Q, R], request: Q, *, keep: bool) -> R:
        """Perform once for a request id: a client that retries gets the first answer again."""
        if operation.repeatable or operation.secret or not keep:
            return self._perform(work, operation, request)
        body = digest_of(canonical_json(msgspec.to_builtins(request)))
        args = (work.connection, work.workspace_id, work.actor.key, work.request_id)
        known = stored_answer(*args)
        if known is not None:
            if (known.operation, known.body_digest) != (operation.name, body):
                raise Conflict(
                    f"request id {work.request_id!r} was used for another request",
                    field="X-Request-Id",
                    fix="use a new id for each request",
                )
            return msgspec.json.decode(known.response, type=operation.response)
        answer = self._perform(work, operation, request)
        store_answer(
            work.connection,
            {
                "workspace_id": work.workspace_id,
                "principal_id": work.actor.key,
                "request_id": work.request_id,
                "operation": operation.name,
                "body_digest": body,
                "response": msgspec.json.encode(answer).decode(),
                "recorded_at": work.now,
            },
        )
        return answer

    def log_refusal(
        self, operation: Operation[Any, Any], refusal: MainspringError, caller: Caller
    ) -> None:
        """Write a refusal down, a fact too; its transaction is gone, so it has one of its own."""
        with self.database.write(decision=True) as connection:
            actor, workspace_id = _identify(connection, caller, self._now())
            event_log.lock(connection, workspace_id)
            work = Work(
                connection=connection,
                actor=actor,
                workspace_id=workspace_id,
                workspace=caller.workspace,
                now=self._now(),
                request_id=caller.request_id,
                blobs=self.blobs,
                checkpoints=self.checkpoints.noted(),
                cause=caller.cause,
            )
            work.refuse(operation.name, refusal)


class LocalClient:
    """Performs operations in this process."""

    def __init__(
        self, app: App, token: str, workspace: str = "default", cause: str | None = None
    ) -> None:
        self._app = app
        self._token = token
        self._workspace = workspace
        self._cause = cause
        self.request_ids: Callable[[str, bytes], str] = lambda _name, _body: new_id()

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation; the same requests are refused as on the way over HTTP."""
        fields = msgspec.to_builtins(request)
        caller = self._caller(operation.name, canonical_json(fields))
        return self._app.run(operation, checked(operation, fields), caller)

    def upload(self, digest: str, path: Path) -> None:
        """Store a file's bytes and name them in the workspace."""
        _, size = self._app.blobs.put(chunks_of(path), digest)
        self.call(administration.record_blob, RecordBlob(digest=digest, size=size))
        if not self._app.blobs.has(digest):  # collected in the moment before they were named
            self._app.blobs.put(chunks_of(path), digest)

    def download(self, digest: str) -> Iterator[bytes]:
        """The bytes of a file of the workspace."""
        self.call(administration.show_blob, NameBlob(digest=digest))
        return self._app.blobs.read(digest)

    def _caller(self, name: str, body: bytes) -> Caller:
        return Caller(
            token=self._token,
            workspace=self._workspace,
            request_id=self.request_ids(name, body),
            cause=self._cause,
        )


def _administration(connection: Connection, workspace: str) -> AdministrationStore:
    return AdministrationStore(connection, workspace_key(connection, workspace))


def workspace_key(connection: Connection, name: str) -> int:
    """The key of a workspace that must exist."""
    key = connection.execute(
        workspace_table.select().where(workspace_table.c.name == name)
    ).one_or_none()
    if key is None:
        raise NotFound(f"no workspace named {name!r}", field="workspace")
    return int(key.id)


def _identify(connection: Connection, caller: Caller, now: dt.datetime) -> tuple[Actor, int]:
    found = None
    if caller.session or caller.proof or looks_like_token(caller.token):
        found = find_actor(connection, caller, now)
    if found is None:
        raise Unauthenticated(
            "no valid token or password was given",
            fix="send the header `Authorization: Bearer TOKEN`; the CLI and SDK read the token of "
            "the home by themselves, others set MAINSPRING_TOKEN",
        )
    actor, workspace_id = found
    if workspace_id is None or not actor.permissions:
        # The same answer for a workspace that is not there and one that is not yours.
        raise NotFound(f"no workspace named {caller.workspace!r} for you", field="workspace")
    return actor, workspace_id
