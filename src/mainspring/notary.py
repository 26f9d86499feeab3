"""Signs where the chains of events have got to, now and then, and at the end."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from mainspring.administration.event_store import Head, heads, stored_events
from mainspring.app import App
from mainspring.core.chain import START, Mark, Walk
from mainspring.core.checkpoint import Checkpoint
from mainspring.core.clock import utc_now
from mainspring.core.errors import Corrupt, MainspringError
from mainspring.core.settings import read_number

LOOK_S = 5.0
EVENTS, MINUTES = 1000, 10

log = logging.getLogger("mainspring.server")


class Notary(threading.Thread):
    """Adds a checkpoint where enough has happened, or anything has and some time is over."""

    def __init__(
        self,
        app: App,
        now: Callable[[], dt.datetime] = utc_now,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name="notary", daemon=True)
        self._app, self._now, self._elapsed = app, now, elapsed
        self._events = read_number("MAINSPRING_CHECKPOINT_EVENTS", EVENTS)
        self._seconds = 60 * read_number("MAINSPRING_CHECKPOINT_MINUTES", MINUTES)
        self._seen: dict[str, tuple[int, float]] = {}
        """Of each workspace the last sequence that was looked at, and when."""
        self._stopping = threading.Event()
        app.checkpoints.prepare(make_folder=app.settings.audit is None)

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopping.set()

    def run(self) -> None:
        """Look now and then."""
        self._try(all_of_them=False)
        while not self._stopping.wait(LOOK_S):
            self._try(all_of_them=False)

    def finish(self) -> None:
        """Sign what is not signed yet; for a clean end, when nobody writes any more."""
        self._try(all_of_them=True)

    def _try(self, *, all_of_them: bool) -> None:
        try:
            self.look(all_of_them=all_of_them)
        except MainspringError as error:
            log.error("%s; fix: %s", error.message, error.fix)  # noqa: TRY400  the words say it all
        except Exception:
            # The database may be away for a while: a notary that ends would never come back.
            log.exception("signing checkpoints")

    def look(self, *, all_of_them: bool = False) -> int:
        """Sign what is due; answers how many checkpoints were added."""
        with self._app.database.read() as connection:
            due = [one for one in heads(connection) if all_of_them or self._is_due(one)]
            wrong = {one.workspace: self._wrong(connection, one) for one in due}
        last = self._app.checkpoints.last() if due else {}
        new = [
            (one.workspace, one.mark)
            for one in due
            if wrong[one.workspace] is None and one.mark.sequence > _signed(last, one).sequence
        ]
        if new:
            self._app.checkpoints.append(new, self._now())
        for one in due:
            self._seen[one.workspace] = (one.mark.sequence, self._elapsed())
        altered = [f"{name!r}: {found}" for name, found in wrong.items() if found]
        if altered:
            raise Corrupt(
                f"the log of events was altered, and is not signed: {'; '.join(altered)}",
                fix="mainspring admin audit verify; restore a backup, and find out who did it",
            )
        return len(new)

    def _is_due(self, head: Head) -> bool:
        if head.workspace not in self._seen:
            return True
        sequence, at = self._seen[head.workspace]
        more = head.mark.sequence - sequence
        late = self._elapsed() - at >= self._seconds
        return more < 0 or more >= self._events or (more > 0 and late)

    def _wrong(self, connection: Connection, head: Head) -> str | None:
        """How the log contradicts what was signed before; that must never be signed over."""
        last = _signed(self._app.checkpoints.last(), head)
        before = None if last == START else last.sequence - 1
        rows = stored_events(connection, head.key, after=before)
        if last != START:
            row = next(rows, None)
            if row is None or (row["sequence"], row["hash"]) != (last.sequence, last.hash):
                return f"event {last.sequence} is not the one that was signed"
        fault = Walk(rows, last=last, vouched=last.sequence).first_fault(head.mark)
        return None if fault is None else fault.found


def _signed(last: Mapping[str, Checkpoint], head: Head) -> Mark:
    """The last place in a workspace's chain that was signed."""
    point = last.get(head.workspace)
    return START if point is None else Mark(point.sequence, point.hash)
