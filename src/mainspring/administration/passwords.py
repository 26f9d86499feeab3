"""Passwords of people: argon2id, two at a time, and a short line before it."""

from __future__ import annotations

import threading
import unicodedata
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from mainspring.core.access import Actor
from mainspring.core.errors import Forbidden, Invalid, Throttled
from mainspring.core.extras import require

T = TypeVar("T")

SHORTEST, LONGEST = 12, 1000
TIME_COST, MEMORY_KIB, LANES = 2, 19 * 1024, 1
"""What OWASP asks of argon2id at the least: some 50 ms and 19 MiB for each."""
AT_ONCE = 2
"""Each takes 19 MiB: whoever could start any number would have a lever on our memory."""
LINE = 16
LINE_OF_ONE = 4
"""One address takes at most so many places: the others in the line are for others."""
DECOY = (
    "$argon2id$v=19$m=19456,t=2,p=1$GZt8p2IfGT+Lrm5W5aovwA$"
    "IGkEC+sOG7SJ8+Y+o4W7vhmZVwjvOyJ9yHDWEobVxM0"
)
"""The hash of what nobody knows: names that are not there take as long as those that are."""


def check(password: str, person: str) -> None:
    """Refuse what is too short, too long, the name, or would be taken for a token."""
    found = len(password)
    if not SHORTEST <= found <= LONGEST:
        raise Invalid(
            f"a password of {found} characters, wanted {SHORTEST} to {LONGEST}", field="password"
        )
    if person.casefold() in password.casefold() and found < len(person) + SHORTEST:
        raise Invalid("the password is little more than the name", field="password")
    if password.startswith("msp_"):
        raise Invalid("a password that begins like a token, msp_, is read as one", field="password")


def check_setter(actor: Actor) -> None:
    """Refuse whoever may not set a password without giving the one before."""
    if not actor.may("admin"):
        raise Forbidden(
            f"{actor.name!r} may not set a password without giving the one before",
            fix="ask an administrator: mainspring people set-password PERSON",
        )
    if actor.limited:
        raise Forbidden(
            "a token that is limited sets no password, which may do all that its person may",
            fix="sign in with a password, or a token without limits",
        )


def hashed(password: str) -> str:
    """What is stored of a password. Slow: call it in the line."""
    text: str = _argon2().hash(_plain(password))
    return text


def matches(stored: str, password: str) -> bool:
    """Whether it is the password. Slow: call it in the line."""
    errors = require("argon2.exceptions", None)
    try:
        return bool(_argon2().verify(stored, _plain(password)))
    except errors.VerifyMismatchError:
        return False


class HashingLine:
    """Does the slow work two at a time; who would wait too long is sent away at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._lock = threading.Lock()
        self._places: Counter[str] = Counter()

    def take(self, address: str, work: Callable[[], T]) -> Future[T]:
        """Stand in the line for an address."""
        with self._lock:
            if self._places[address] >= LINE_OF_ONE or self._places.total() >= LINE:
                raise Throttled("too many passwords are being checked")
            self._places[address] += 1
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._leave(address))
        return future

    def _leave(self, address: str) -> None:
        with self._lock:
            self._places[address] -= 1
            if self._places[address] <= 0:
                del self._places[address]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)


def _plain(password: str) -> str:
    # The same key gives other bytes on other systems: composed or not.
    return unicodedata.normalize("NFKC", password)


@cache
def _argon2() -> Any:
    return require("argon2", None).PasswordHasher(
        time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=LANES
    )
