"""Sends what webhooks are to be told: a thread for each that has something due, and none else.

A peer that is slow holds up its own deliveries alone. What was taken and not ended, because the
process died, is due again when its lease is over: a receiver may get a delivery twice, with one id.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from typing import Any

from mainspring.app import App, LocalClient
from mainspring.core import outbound
from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid, Unreachable
from mainspring.core.settings import read_number
from mainspring.webhooks import contract
from mainspring.webhooks.attempt import asked_pause, is_taken, pause
from mainspring.webhooks.contract import Attempt, GiveUp
from mainspring.webhooks.store import due_webhooks, note_attempt, take
from mainspring.webhooks.topic import headers

POLL_S = 1.0
MOST_THREADS = 32
ATTEMPTS, TIMEOUT_S = 6, 30

log = logging.getLogger("mainspring.courier")


class Courier(threading.Thread):
    """Looks for deliveries that are due, and has them sent."""

    def __init__(self, app: App, token: str) -> None:
        super().__init__(name="courier", daemon=True)
        self._app = app
        self._token = token
        self._attempts = read_number("MAINSPRING_WEBHOOK_ATTEMPTS", ATTEMPTS)
        self._timeout_s = read_number("MAINSPRING_WEBHOOK_TIMEOUT", TIMEOUT_S)
        # Connecting, asking and writing it down take longer than the peer may.
        self._lease = dt.timedelta(seconds=2 * self._timeout_s + 30)
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._lock = threading.Lock()
        self._busy: dict[int, threading.Thread] = {}
        app.listeners.append(self._arrived)

    def stop(self) -> None:
        """Start nothing any more, and end when what is being sent has ended."""
        self._stopping.set()
        self._arrived.set()

    def run(self) -> None:
        """Loop until told to stop."""
        while not self._stopping.is_set():
            self._arrived.clear()
            try:
                self._turn()
            except Exception:
                # The database may be away for a while: a courier that ends would never come back.
                log.exception("looking for deliveries")
            self._arrived.wait(POLL_S)
        with self._lock:
            senders = list(self._busy.values())
        for sender in senders:
            sender.join()

    def _turn(self) -> None:
        with self._app.database.read() as connection:
            waiting = due_webhooks(connection, utc_now())
        for webhook in waiting:
            with self._lock:
                if webhook in self._busy or len(self._busy) >= MOST_THREADS:
                    continue
                sender = self._busy[webhook] = threading.Thread(
                    target=self._serve, args=(webhook,), name=f"webhook-{webhook}", daemon=True
                )
            sender.start()

    def _serve(self, webhook: int) -> None:
        try:
            while not self._stopping.is_set() and self._send_next(webhook):
                pass
        except Exception:
            log.exception("webhook %d", webhook)
        finally:
            with self._lock:
                del self._busy[webhook]
            # Something may have come for it since the last look, and was passed over as in hand.
            self._arrived.set()

    def _send_next(self, webhook: int) -> bool:
        """Send the delivery that is due; answers whether there was one."""
        with self._app.database.write() as connection:
            row = take(connection, webhook, utc_now(), self._lease)
        if row is None:
            return False
        begun = utc_now()
        signed = headers(row.public_id, int(begun.timestamp()), row.body, row.secret)
        started = time.monotonic()
        status, error, asked_s, known = None, "", None, True
        try:
            answer = outbound.post(
                row.address, row.body.encode(), signed, self._timeout_s, outbound.allowed()
            )
            status, asked_s = answer.status, asked_pause(answer.headers.get("retry-after"))
        except Unreachable as fault:
            error = fault.message
        except Invalid as fault:
            # The address will be no better the next time.
            error, known = fault.message, False
        took_ms = round((time.monotonic() - started) * 1000, 1)
        attempt = Attempt(at=begun, duration_ms=took_ms, status=status, error=error)
        self._note(row, attempt, asked_s, retry=known)
        return True

    def _note(self, row: Any, attempt: Attempt, asked_s: int | None, *, retry: bool) -> None:
        taken = is_taken(attempt.status)
        count = len(row.attempts) + 1
        wait = None
        if not taken and retry and count < self._attempts:
            wait = pause(count, attempt.status, asked_s)
        state = "delivered" if taken else "failed" if wait is None else "pending"
        due = None if wait is None else utc_now() + wait
        with self._app.database.write() as connection:
            note_attempt(connection, row, attempt, state, due)
        if state == "failed":
            reason = attempt.error or f"the peer answered {attempt.status}"
            client = LocalClient(self._app, self._token, row.workspace)
            client.call(contract.give_up, GiveUp(delivery=row.public_id, reason=reason))
