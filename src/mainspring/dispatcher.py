"""Does the jobs: quick reactions in a thread of the server, the others in a child for each lane."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import traceback
from typing import Any

import msgspec

from mainspring.administration import contract as administration
from mainspring.administration.contract import FailJob
from mainspring.app import App, LocalClient
from mainspring.core import jobs
from mainspring.core.clock import utc_now
from mainspring.core.errors import MainspringError
from mainspring.core.ids import reaction_request_ids
from mainspring.core.jobs import MAX_ATTEMPTS, REACTIONS, Job, Lane
from mainspring.core.settings import clean_environment

POLL_S = 1.0
IDLE_S = 20.0
"""A child that had nothing to do for so long is ended; the next job starts another."""
MAX_ATTEMPTS_REFUSED = 2
"""A reaction that was refused will be refused again: no need to try as often as after a crash."""

log = logging.getLogger("mainspring.dispatcher")


class Refused(Exception):
    """A reaction failed; the text is its traceback or its error."""

    def __init__(self, text: str, *, known: bool) -> None:
        super().__init__(text)
        self.known = known
        """Whether it is an error that we raise on purpose."""


class LaneThread(threading.Thread):
    """Claims the due jobs of one lane and does them one after the other."""

    def __init__(self, app: App, lane: Lane, owner: str, token: str) -> None:
        super().__init__(name=f"jobs-{lane}", daemon=True)
        self._app = app
        self._lane = lane
        self._owner = owner
        self._token = token
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._let_go: list[Job] = []
        """Jobs that could not be put back, since the database was away; ours until they are."""
        app.listeners.append(self._arrived)

    def stop(self) -> None:
        """Finish the job at hand and end."""
        self._stopping.set()
        self._arrived.set()

    def run(self) -> None:
        """Loop until told to stop."""
        while not self._stopping.is_set():
            self._arrived.clear()
            try:
                busy = self._turn()
            except Exception:
                # The database may be away for a while: a lane that ends would never come back.
                log.exception("lane %s", self._lane)
                busy = False
            if not busy and not self._arrived.wait(POLL_S):
                self.idle()
        self.end()

    def _turn(self) -> bool:
        """Do a job that is due; answers whether there was one."""
        while self._let_go:
            self._put_back(self._let_go[-1], "the database was away when it ended")
            self._let_go.pop()
        job = self._claim()
        if job is not None:
            try:
                self._do(job)
            except BaseException:
                # Not done and not put back: without this its lease would be renewed for ever.
                self._let_go.append(job)
                raise
        return job is not None

    def _put_back(self, job: Job, error: str) -> None:
        with self._app.database.write() as connection:
            jobs.retry(connection, job, self._owner, error, utc_now())

    def idle(self) -> None:
        """Called when there was nothing to do for a while."""

    def end(self) -> None:
        """Called once, at the end."""

    def perform(self, job: Job) -> None:
        """Do the job in this thread; raises `Refused`."""
        reaction = REACTIONS[job.reaction]
        assert not isinstance(reaction.function, str)
        client = LocalClient(self._app, self._token, job.event.workspace, job.event.id)
        client.request_ids = reaction_request_ids(job.event.id, job.reaction)
        try:
            reaction.function(client, job.event)
        except MainspringError as error:
            raise Refused(f"{error.code} {error.message}", known=error.status < 500) from error
        except Exception as error:
            raise Refused(traceback.format_exc(), known=False) from error

    def _claim(self) -> Job | None:
        now = utc_now()
        with self._app.database.read() as connection:
            if not jobs.any_due(connection, self._lane, now):
                return None
        with self._app.database.write() as connection:
            return jobs.claim(connection, self._lane, self._owner, now)

    def _do(self, job: Job) -> None:
        if job.reaction not in REACTIONS:
            self._failed(job, Refused(f"no reaction {job.reaction!r} in this release", known=True))
            return
        try:
            self.perform(job)
        except Refused as refusal:
            self._failed(job, refusal)
        else:
            with self._app.database.write() as connection:
                jobs.finish(connection, job.id, self._owner)

    def _failed(self, job: Job, refusal: Refused) -> None:
        log.warning("job %d %s, attempt %d: %s", job.id, job.reaction, job.attempts, refusal)
        limit = MAX_ATTEMPTS_REFUSED if refusal.known else MAX_ATTEMPTS
        if job.attempts < limit:
            self._put_back(job, str(refusal))
            return
        client = LocalClient(self._app, self._token, job.event.workspace, job.event.id)
        request = FailJob(job=job.id, error=str(refusal).replace("\x00", "")[-4000:])
        client.call(administration.fail_job, request)


class ChildLaneThread(LaneThread):
    """Does its jobs in a child process, which is started when needed and ended when idle."""

    def __init__(
        self, app: App, lane: Lane, owner: str, token: str, sign_in: tuple[str, str]
    ) -> None:
        super().__init__(app, lane, owner, token)
        self._url, self._child_token = sign_in
        self._child: subprocess.Popen[str] | None = None
        self._quiet_for = 0.0

    def idle(self) -> None:
        """End the child after a while."""
        self._quiet_for += POLL_S
        if self._quiet_for >= IDLE_S:
            self.end()

    def end(self) -> None:
        """Close the child's input: it ends by itself, or is killed."""
        if self._child is not None:
            assert self._child.stdin is not None
            self._child.stdin.close()
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            assert self._child.stdout is not None
            self._child.stdout.close()
            self._child = None

    def stop(self) -> None:
        """Do not wait for a training that may take hours: it is done again after the next start."""
        super().stop()
        if self._child is not None:
            self._child.kill()

    def perform(self, job: Job) -> None:
        """Hand the job to the child and wait for its answer."""
        self._quiet_for = 0.0
        answer = self._exchange(
            {
                "job": job.id,
                "reaction": job.reaction,
                "function": REACTIONS[job.reaction].function,
                "event": msgspec.to_builtins(job.event),
            }
        )
        if answer.get("error") is not None:
            raise Refused(answer["error"], known=answer["known"])

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        if self._child is None or self._child.poll() is not None:
            self._child = self._launch()
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(json.dumps(message) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        if not line:
            code = self._child.wait()
            self._child = None
            raise Refused(f"the {self._lane} process ended with {code} during the job", known=False)
        found: dict[str, Any] = json.loads(line)
        return found

    def _launch(self) -> subprocess.Popen[str]:
        path = self._app.settings.home / f"{self._lane}.log"
        with path.open("a") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "mainspring.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env=clean_environment(
                    MAINSPRING_TOKEN=self._child_token,
                    MAINSPRING_URL=self._url,
                    # Threads that wait must not spin: the server and the data planes need the cores.
                    OMP_WAIT_POLICY="PASSIVE",
                ),
            )


class LeaseThread(threading.Thread):
    """Renews the leases of this process's jobs while it lives."""

    def __init__(self, app: App, owner: str) -> None:
        super().__init__(name="jobs-lease", daemon=True)
        self._app = app
        self._owner = owner
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def run(self) -> None:
        """Renew at a third of the lease's time."""
        while not self._stopping.wait(jobs.LEASE.total_seconds() / 3):
            try:
                self._renew()
            except Exception:
                log.exception("renewing the leases")

    def _renew(self) -> None:
        with self._app.database.read() as connection:
            if not jobs.any_owned(connection, self._owner):
                return
        with self._app.database.write() as connection:
            jobs.renew(connection, self._owner, utc_now())
