"""Signing in with a password: proved once by argon2id, remembered for minutes by a keyed digest."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from mainspring.administration import passwords
from mainspring.administration.contract import SetPassword
from mainspring.administration.guesses import Guesses, network
from mainspring.administration.password_store import stored_password
from mainspring.core.database import Database
from mainspring.core.errors import Forbidden, Unauthenticated
from mainspring.core.ids import Name, new_id
from mainspring.core.work import Work

PROVED_S = 300.0
PROOFS = 10_000


class SignIn:
    """Proves passwords for a process; the database says who has which."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        # Without the key, which dies with the process, what is remembered tells nothing.
        self._key = secrets.token_bytes(32)
        self._proofs: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._guesses = Guesses(clock)
        self._line = passwords.HashingLine()

    async def prove(self, name: str, password: str, address: str) -> str:
        """The mark of the person's password, if this is it; holds no thread while it waits."""
        digest = self._digest(name, password)
        proof, until = self._proofs.get(digest, ("", 0.0))
        if self._clock() < until:
            # Whether it still counts, every request asks the database: it may have been changed.
            return proof
        self._proofs.pop(digest, None)
        self._guesses.check(name, address)
        if not _is_possible(name, password):
            raise _nobody()
        found = await asyncio.wrap_future(
            self._line.take(network(address), lambda: self._examined(name, password))
        )
        if found is None:
            self._guesses.failed(name, address)
            raise _nobody()
        self._guesses.succeeded(name, address)
        self._remember(digest, found)
        return found

    def prepared(
        self, reading: Callable[[], AbstractContextManager[Work]], request: SetPassword
    ) -> SetPassword:
        """The request with the hash for the password and the old one's mark: slow, so done before."""
        with reading() as work:
            actor, at = work.actor, f"of {work.actor.name}"
        old, given = None, request.old_password
        if actor.name != request.person:
            passwords.check_setter(actor)
            given = None
        passwords.check(request.password, request.person)
        if given is not None:
            self._guesses.check(request.person, at)
            old = self._line.take(at, lambda: self._examined(request.person, given)).result()
            if old is None:
                self._guesses.failed(request.person, at)
                raise Forbidden(f"that is not the password that {actor.name!r} has now")
            self._guesses.succeeded(request.person, at)
        text = self._line.take(at, lambda: passwords.hashed(request.password)).result()
        return msgspec.structs.replace(request, password=text, old_password=old)

    def close(self) -> None:
        """End the line."""
        self._line.close()

    def _examined(self, name: str, password: str) -> str | None:
        with self._database.read() as connection:
            stored = stored_password(connection, name)
        right = self._matches(stored.hash if stored else passwords.DECOY, password)
        return stored.proof if stored and right else None

    def _matches(self, stored: str, password: str) -> bool:
        return passwords.matches(stored, password)

    def _remember(self, digest: bytes, proof: str) -> None:
        self._proofs[digest] = (proof, self._clock() + PROVED_S)
        while len(self._proofs) > PROOFS:
            self._proofs.popitem(last=False)

    def _digest(self, name: str, password: str) -> bytes:
        text = f"{len(name)}:{name}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")


def new_proof() -> str:
    """The mark of a new password: what was proved with another is void."""
    return new_id()


def _is_possible(name: str, password: str) -> bool:
    """Whether anybody could have this name and password: so much everybody may know."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        return False
    return passwords.SHORTEST <= len(password) <= passwords.LONGEST


def _nobody() -> Unauthenticated:
    return Unauthenticated(
        "no such name and password",
        fix="the name is a person's, the password theirs; or give an API token as the password",
    )
