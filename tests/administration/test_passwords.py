"""Setting passwords, on both databases and both clients; what is a password, and what is stored."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from mainspring.administration import contract, passwords
from mainspring.administration.contract import (
    AddPerson,
    CreateToken,
    GrantRole,
    NamePerson,
    SetPassword,
)
from mainspring.administration.passwords import DECOY, LINE, LINE_OF_ONE, HashingLine
from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.errors import (
    Blocked,
    Forbidden,
    Invalid,
    MainspringError,
    NotFound,
    Throttled,
)
from mainspring.core.operation import FileClient
from tests import story
from tests.conftest import SignIn
from tests.house import Clients, local_client, wait_until

FIRST, SECOND = "correct horse battery", "staple of the second kind"


def set_password(
    client: FileClient, person: str, password: str = FIRST, old: str | None = None
) -> None:
    request = SetPassword(person=person, password=password, old_password=old)
    client.call(contract.set_password, request)


def proved(app: App, name: str, password: str) -> str:
    return asyncio.run(app.sign_in.prove(name, password, "127.0.0.1"))


def test_an_administrator_sets_the_first_password_of_another(clients: Clients) -> None:
    set_password(clients.admin, "vera")

    assert story.kinds(clients.viewer)[-1] == "password.set"


def test_a_person_changes_their_own_with_the_old_one(clients: Clients) -> None:
    set_password(clients.admin, "vera")

    set_password(clients.viewer, "vera", SECOND, FIRST)
    set_password(clients.viewer, "vera", FIRST, SECOND)


def test_with_a_wrong_old_password_nothing_changes(clients: Clients) -> None:
    set_password(clients.admin, "vera")

    with pytest.raises(Forbidden, match="not the password that 'vera' has now"):
        set_password(clients.viewer, "vera", SECOND, "another one entirely")
    set_password(clients.viewer, "vera", SECOND, FIRST)


def test_without_the_old_password_nobody_changes_their_own(clients: Clients) -> None:
    for person, client in (("vera", clients.viewer), ("ada", clients.admin)):
        set_password(clients.admin, person)
        with pytest.raises(Invalid) as caught:
            set_password(client, person, SECOND)
        assert caught.value.field == "old_password"


def test_a_token_without_admin_gets_its_person_no_first_password(clients: Clients) -> None:
    with pytest.raises(Forbidden, match="without giving the one before"):
        set_password(clients.viewer, "vera")


def test_nobody_but_an_administrator_sets_the_password_of_another(clients: Clients) -> None:
    set_password(clients.admin, "dora")

    with pytest.raises(Forbidden, match="without giving the one before"):
        set_password(clients.viewer, "dora", SECOND)
    with pytest.raises(Forbidden, match="without giving the one before"):
        set_password(clients.viewer, "dora", SECOND, FIRST)


def test_a_limited_token_sets_no_password(clients: Clients, sign_in: SignIn) -> None:
    request = CreateToken(owner="ada", verbs=["read", "admin"])
    limited = sign_in(clients.admin.call(contract.create_token, request).token)

    with pytest.raises(Forbidden, match="a token that is limited sets no password"):
        set_password(limited, "dora")


def test_a_person_who_is_not_there_has_no_password(clients: Clients) -> None:
    with pytest.raises(NotFound):
        set_password(clients.admin, "nobody")


@pytest.mark.parametrize(
    "password", ["", "short", "eleven char", "x" * 1001, "msp_" + "x" * 20, "vera12345678"]
)
def test_what_is_no_password_is_refused(clients: Clients, password: str) -> None:
    with pytest.raises(Invalid) as caught:
        set_password(clients.admin, "vera", password)
    assert caught.value.field == "password"
    assert password == "" or password not in caught.value.message


def test_the_password_is_in_no_event_and_no_stored_answer(clients: Clients, app: App) -> None:
    set_password(clients.admin, "vera")
    with pytest.raises(MainspringError):
        set_password(clients.viewer, "vera", SECOND, "another one entirely")

    told = str(story.events(clients.admin))
    with app.database.read() as connection:
        kept = str(connection.exec_driver_sql("select * from request").all())
        rows = str(connection.exec_driver_sql("select * from password").all())
    for secret in (FIRST, SECOND, "another one entirely"):
        assert secret not in told + kept + rows
    assert "argon2" not in told + kept
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in rows


def elsewhere(app: App, tokens: dict[str, str]) -> FileClient:
    """The administrator of another workspace, with a token that is good there alone."""
    there = story.elsewhere(app, tokens)
    there.call(contract.add_person, AddPerson(name="wim", roles=["admin"]))
    token = there.call(contract.create_token, CreateToken(owner="wim")).token
    return local_client(app, token, story.ELSEWHERE)


def test_who_administers_one_workspace_sets_no_password_for_another(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    with pytest.raises(Blocked, match="it signs in to every workspace") as caught:
        set_password(elsewhere(app, tokens), "dora")
    assert caught.value.reasons == ["'dora' has roles in another workspace"]


def test_a_password_set_elsewhere_proves_nothing_here(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    there = elsewhere(app, tokens)
    there.call(contract.add_person, AddPerson(name="zoe", roles=["viewer"]))
    set_password(there, "zoe")
    clients.admin.call(contract.grant_role, GrantRole(person="zoe", role="admin"))

    with pytest.raises(NotFound, match="no workspace named 'default' for you"):
        answer(app, "zoe", FIRST)
    assert "read" in answer(app, "zoe", FIRST, story.ELSEWHERE)


def answer(app: App, name: str, password: str, workspace: str = "default") -> list[str]:
    """What somebody who signs in with a password may do."""
    caller = caller_with(name, proved(app, name, password), workspace)
    return app.run(contract.whoami, contract.Nothing(), caller).permissions


def caller_with(name: str, proof: str, workspace: str) -> Caller:
    return Caller(
        token="", workspace=workspace, request_id="x", person=name, proof=proof, named=False
    )


def test_changing_it_oneself_does_not_carry_it_into_other_workspaces(
    app: App, clients: Clients, tokens: dict[str, str]
) -> None:
    there = elsewhere(app, tokens)
    there.call(contract.add_person, AddPerson(name="zoe", roles=["viewer"]))
    set_password(there, "zoe")
    token = there.call(contract.create_token, CreateToken(owner="zoe")).token
    set_password(local_client(app, token, story.ELSEWHERE), "zoe", SECOND, FIRST)
    clients.admin.call(contract.grant_role, GrantRole(person="zoe", role="admin"))

    with pytest.raises(NotFound, match="no workspace named 'default' for you"):
        answer(app, "zoe", SECOND)


def test_a_disabled_person_signs_in_no_more(app: App, clients: Clients) -> None:
    set_password(clients.admin, "vera")
    proof = proved(app, "vera", FIRST)
    clients.admin.call(contract.disable_person, NamePerson(name="vera"))

    with pytest.raises(MainspringError, match="no valid token or password"):
        app.run(contract.whoami, contract.Nothing(), caller_with("vera", proof, "default"))


def test_the_decoy_takes_as_long_as_a_real_hash() -> None:
    ours = passwords.hashed(FIRST)

    assert DECOY.split("$")[:4] == ours.split("$")[:4]
    assert len(DECOY) == len(ours)


def test_the_same_keys_are_the_same_password_on_every_system() -> None:
    assert passwords.matches(
        passwords.hashed("caf\u00e9 on the corner"), "cafe\u0301 on the corner"
    )


class Gate:
    """Work that lasts until the gate is opened, and knows how much of it there was at once."""

    def __init__(self) -> None:
        self._lock, self._opened = threading.Lock(), threading.Event()
        self.waiting = self.most = 0

    def wait(self) -> bool:
        """Be at work."""
        with self._lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        opened = self._opened.wait(10)
        with self._lock:
            self.waiting -= 1
        return opened

    def open(self) -> None:
        """Let all work end."""
        self._opened.set()


def test_the_line_is_bounded_for_one_address_and_for_all() -> None:
    line, gate = HashingLine(), Gate()
    held = [line.take("a", gate.wait) for _ in range(LINE_OF_ONE)]

    with pytest.raises(Throttled) as caught:
        line.take("a", gate.wait)
    held += [line.take(f"b{place}", gate.wait) for place in range(LINE - LINE_OF_ONE)]
    with pytest.raises(Throttled):
        line.take("c", gate.wait)

    gate.open()
    assert [one.result(10) for one in held] == [True] * LINE
    assert caught.value.retry_after_s == 1
    assert line.take("a", lambda: "next").result(10) == "next"
    line.close()


def test_at_most_two_passwords_are_hashed_at_once() -> None:
    line, gate = HashingLine(), Gate()
    held = [line.take(f"{place}", gate.wait) for place in range(6)]
    wait_until(lambda: gate.waiting == 2)

    gate.open()
    assert all(one.result(10) for one in held)
    assert gate.most == 2
    line.close()


def test_nothing_of_argon2_is_loaded_before_it_is_needed() -> None:
    script = "import mainspring, mainspring.app, sys; print('argon2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
