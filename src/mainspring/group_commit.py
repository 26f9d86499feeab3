"""Many small writes, one commit: each is acknowledged after the commit that holds it.

What arrives while a transaction is being written goes together into the next one. A client that logs
alone waits for its own commit and no longer; forty that log at once share one.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.errors import Blocked, Forbidden, MainspringError, Unavailable
from mainspring.core.operation import Operation

Q = TypeVar("Q")
R = TypeVar("R")

MOST = 256
"""Requests of one transaction: a bound on how long the first of them waits for the last."""

log = logging.getLogger("mainspring.group_commit")


@dataclass(slots=True)
class Member:
    """One request that waits for a commit."""

    operation: Operation[Any, Any]
    request: Any
    caller: Caller
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    outcome: Any = None
    """The answer, or the exception."""


class GroupCommit(threading.Thread):
    """Performs operations that only add data, as many as are waiting in one transaction."""

    def __init__(self, app: App) -> None:
        super().__init__(name="group-commit", daemon=True)
        self._app = app
        self._waiting: queue.SimpleQueue[Member | None] = queue.SimpleQueue()

    async def record(self, operation: Operation[Q, R], request: Q, caller: Caller) -> R:
        """Perform the operation; returns when it is committed."""
        loop = asyncio.get_running_loop()
        member = Member(operation, request, caller, loop, loop.create_future())
        self._waiting.put(member)
        answer: R = await member.answer
        return answer

    def stop(self) -> None:
        """End after what is waiting now."""
        self._waiting.put(None)

    def run(self) -> None:
        """Commit what waits, until told to stop."""
        while (first := self._waiting.get()) is not None:
            members, stopping = [first], False
            while len(members) < MOST and not self._waiting.empty():
                member = self._waiting.get()
                if member is None:
                    stopping = True
                    break
                members.append(member)
            by_workspace: dict[str, list[Member]] = defaultdict(list)
            for member in members:
                # One workspace a transaction: each locks its chain, and two locks can meet crosswise.
                by_workspace[member.caller.workspace].append(member)
            for together in by_workspace.values():
                self._commit(together)
            if stopping:
                break

    def _commit(self, members: list[Member]) -> None:
        try:
            with self._app.database.write() as connection:
                jobs = sum(self._perform(connection, one, len(members) > 1) for one in members)
        except Exception as error:
            if not isinstance(error, MainspringError):
                log.exception("a group of %d could not be committed", len(members))
            for member in members:
                member.outcome = error
        else:
            if jobs:
                self._app.tell_of_jobs()
        self._answer(members)

    def _perform(self, connection: Connection, member: Member, aside: bool) -> int:  # noqa: FBT001
        """Perform one member; in company, its failure must not undo the others."""
        driver: Any = connection.connection.driver_connection
        if aside:
            driver.execute("SAVEPOINT member")
        try:
            work, member.outcome = self._app.run_in(
                connection, member.operation, member.request, member.caller
            )
        except Unavailable:
            raise
        except Exception as error:
            if not aside:
                raise
            if not isinstance(error, MainspringError):
                log.exception("a member of a group failed")
            driver.execute("ROLLBACK TO SAVEPOINT member")
            member.outcome = error
            return 0
        if aside:
            driver.execute("RELEASE SAVEPOINT member")
        return work.jobs_added

    def _answer(self, members: list[Member]) -> None:
        for member in members:
            if isinstance(member.outcome, (Blocked, Forbidden)):
                self._note_refusal(member)
        by_loop: dict[asyncio.AbstractEventLoop, list[Member]] = defaultdict(list)
        for member in members:
            by_loop[member.loop].append(member)
        for loop, together in by_loop.items():
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(_resolve, together)

    def _note_refusal(self, member: Member) -> None:
        """Write the refusal down. A fault here must not end the thread that all others wait for."""
        try:
            self._app.log_refusal(member.operation, member.outcome, member.caller)
        except Exception:
            log.exception("a refusal could not be written down")


def _resolve(members: list[Member]) -> None:
    for member in members:
        if member.answer.done():
            continue  # its client is gone
        if isinstance(member.outcome, Exception):
            member.answer.set_exception(member.outcome)
        else:
            member.answer.set_result(member.outcome)
