"""Signing in with a name and a password: over HTTP, and how guessing is slowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from mainspring.administration import contract, passwords
from mainspring.administration.contract import GrantRole, NamePerson, SetPassword
from mainspring.administration.guesses import FREE, LONGEST_S, REMEMBERED, Guesses, network, pause
from mainspring.administration.sign_in import PROVED_S, SignIn
from mainspring.app import App
from mainspring.core.database import Database
from mainspring.core.errors import Throttled, Unauthenticated
from tests.house import Clients

PASSWORD, OTHER = "correct horse battery", "staple of the second kind"
WHOAMI = "/api/v1/workspaces/default/whoami"
MLFLOW = "/api/2.0/mlflow/experiments/get?experiment_id=0"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def database_kind() -> str:
    """Which rows there are is tested with the operations."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The administrator's own way in."""
    return "in process"


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    """Somebody at the door."""
    with httpx2.Client(base_url=url, trust_env=False, verify=False) as client:
        yield client


def set_password(clients: Clients, person: str, password: str = PASSWORD) -> None:
    request = SetPassword(person=person, password=password)
    clients.admin.call(contract.set_password, request)


def status(http: httpx2.Client, name: str, password: str, path: str = WHOAMI) -> int:
    return http.get(path, auth=(name, password)).status_code


@pytest.mark.parametrize("path", [WHOAMI, MLFLOW])
def test_a_name_and_its_password_sign_in(http: httpx2.Client, clients: Clients, path: str) -> None:
    set_password(clients, "vera")

    assert status(http, "vera", PASSWORD, path) == 200
    assert http.get(WHOAMI, auth=("vera", PASSWORD)).json()["name"] == "vera"


@pytest.mark.parametrize("path", [WHOAMI, MLFLOW])
@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("vera", OTHER), ("dora", PASSWORD), ("ada", PASSWORD), ("nobody", PASSWORD),
        ("", PASSWORD), ("vera", ""), ("Vera", PASSWORD), ("vera ", PASSWORD),
        ("vera", PASSWORD + " "), ("mainspring", PASSWORD), ("x" * 300, PASSWORD),
        ("vera", "x" * 5000), ("\x00", PASSWORD),
    ],
    ids=lambda text: ascii(text)[:24],
)  # fmt: skip
def test_anything_else_does_not(
    http: httpx2.Client, clients: Clients, name: str, password: str, path: str
) -> None:
    set_password(clients, "vera")

    answer = http.get(path, auth=(name, password))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_token_may_still_come_as_a_password_under_any_name(
    http: httpx2.Client, clients: Clients, tokens: dict[str, str]
) -> None:
    set_password(clients, "vera")

    for name in ("vera", "anybody", ""):
        assert http.get(WHOAMI, auth=(name, tokens["dora"])).json()["name"] == "dora"


def test_a_changed_password_ends_what_was_proved_with_the_old(
    http: httpx2.Client, clients: Clients
) -> None:
    set_password(clients, "vera")
    assert status(http, "vera", PASSWORD) == 200

    set_password(clients, "vera", OTHER)

    assert status(http, "vera", PASSWORD) == 401
    assert status(http, "vera", OTHER) == 200


def test_a_disabled_person_is_out_at_once(http: httpx2.Client, clients: Clients) -> None:
    set_password(clients, "vera")
    assert status(http, "vera", PASSWORD) == 200

    clients.admin.call(contract.disable_person, NamePerson(name="vera"))

    assert status(http, "vera", PASSWORD) == 401


def test_a_role_that_was_taken_is_gone_at_once(http: httpx2.Client, clients: Clients) -> None:
    set_password(clients, "vera")
    assert status(http, "vera", PASSWORD) == 200

    clients.admin.call(contract.revoke_role, GrantRole(person="vera", role="viewer"))

    assert status(http, "vera", PASSWORD) == 404


def test_a_multipart_upload_goes_on_as_whoever_began_it(
    http: httpx2.Client, clients: Clients
) -> None:
    set_password(clients, "dora")
    made = http.post(
        "/api/2.0/mlflow-artifacts/mpu/create/a",
        json={"path": "a/big.bin", "num_parts": 1}, auth=("dora", PASSWORD),
    ).json()  # fmt: skip

    part = made["credentials"][0]

    assert http.put(part["url"], content=b"part", headers=part["headers"]).status_code == 200


def test_guessing_is_slowed_and_says_for_how_long(http: httpx2.Client, clients: Clients) -> None:
    set_password(clients, "vera")
    guessed = [status(http, "vera", f"{OTHER}{place}") for place in range(FREE + 1)]

    for path in (WHOAMI, MLFLOW):
        answer = http.get(path, auth=("vera", OTHER))
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
    assert guessed == [401] * (FREE + 1)
    assert status(http, "dora", OTHER) == 401


class Ticks:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    """The clock of the sign-in."""
    return Ticks()


class Counted(SignIn):
    """Notes which hashes passwords are really compared with."""

    def __init__(self, database: Database, clock: Ticks) -> None:
        super().__init__(database, clock)
        self.compared: list[str] = []

    def _matches(self, stored: str, password: str) -> bool:
        self.compared.append(stored)
        return super()._matches(stored, password)


@pytest.fixture
def door(app: App, clients: Clients, ticks: Ticks) -> Iterator[Counted]:
    """A sign-in whose clock is the test's; Vera has a password."""
    set_password(clients, "vera")
    made = Counted(app.database, ticks)
    yield made
    made.close()


def prove(door: SignIn, password: str = PASSWORD, name: str = "vera", at: str = HERE) -> str:
    return asyncio.run(door.prove(name, password, at))


def guess(door: SignIn, times: int, at: str = HERE, name: str = "vera") -> None:
    for place in range(times):
        with pytest.raises(Unauthenticated):
            prove(door, f"{OTHER}{place}", name, at)


def test_a_proof_is_kept_for_minutes_and_no_longer(door: Counted, ticks: Ticks) -> None:
    proofs = {prove(door) for _ in range(5)}
    ticks.now += PROVED_S - 1
    proofs.add(prove(door))
    assert (len(proofs), len(door.compared)) == (1, 1)

    ticks.now += 2
    prove(door)

    assert len(door.compared) == 2


def test_what_is_remembered_is_not_the_password(door: Counted) -> None:
    prove(door)

    assert PASSWORD not in repr(vars(door))
    assert len(next(iter(door._proofs))) == 32


def test_a_name_and_password_cannot_be_cut_elsewhere(door: Counted) -> None:
    assert door._digest("ver", "a" + PASSWORD) != door._digest("vera", PASSWORD)


def test_guessing_at_one_address_locks_nobody_out_at_another(door: Counted) -> None:
    guess(door, FREE + 1)

    with pytest.raises(Throttled):
        prove(door)
    assert prove(door, at=THERE)


def test_guessing_one_name_slows_no_other(door: Counted) -> None:
    guess(door, FREE + 1, name="dora")

    assert prove(door)


def test_whoever_is_signed_in_stays_so_while_others_guess(door: Counted) -> None:
    prove(door)
    guess(door, FREE + 1)

    assert prove(door)


def test_after_the_pause_the_password_signs_in_and_the_count_begins_anew(
    door: Counted, ticks: Ticks
) -> None:
    guess(door, FREE + 1)
    ticks.now += pause(FREE + 1) + 0.1
    prove(door)
    ticks.now += PROVED_S + 1

    guess(door, FREE + 1)


def test_names_that_are_not_there_are_slowed_alike(door: Counted) -> None:
    guess(door, FREE + 1, name="nobody")

    with pytest.raises(Throttled):
        prove(door, name="nobody")


def test_a_name_that_is_not_there_costs_one_hash_as_well(door: Counted) -> None:
    guess(door, 1, name="nobody")
    guess(door, 1, name="dora")
    guess(door, 1)

    assert door.compared[:2] == [passwords.DECOY] * 2
    assert len(door.compared) == 3


def test_the_pause_grows_and_has_an_end() -> None:
    pauses = [pause(failures) for failures in range(60)]

    assert pauses[: FREE + 4] == [0.0] * (FREE + 1) + [1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_S


def test_an_ipv6_client_has_one_count_for_its_network() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:2")
    assert network("2001:db8::1") != network("2001:db8:0:1::1")
    assert network("192.0.2.1") != network("192.0.2.2")
    assert network("of vera") == "of vera"


def test_what_is_remembered_of_guesses_is_bounded() -> None:
    guesses = Guesses(Ticks())
    for place in range(REMEMBERED + 10):
        guesses.failed("vera", str(place))

    assert len(guesses._failures) == REMEMBERED


def test_guesses_of_long_ago_do_not_count(ticks: Ticks) -> None:
    guesses = Guesses(ticks)
    for _ in range(FREE + 5):
        guesses.failed("vera", HERE)
    ticks.now += 3601
    guesses.failed("vera", HERE)

    guesses.check("vera", HERE)


def test_guessing_the_old_password_is_slowed_too(clients: Clients) -> None:
    set_password(clients, "vera")
    said = []
    for place in range(FREE + 2):
        request = SetPassword(person="vera", password=OTHER, old_password=f"wrong {OTHER}{place}")
        with pytest.raises(Exception) as caught:  # noqa: PT011
            clients.viewer.call(contract.set_password, request)
        said.append(type(caught.value).__name__)

    assert said == ["Forbidden"] * (FREE + 1) + ["Throttled"]


def test_events_of_who_signed_in_with_a_password_name_no_token(
    http: httpx2.Client, clients: Clients
) -> None:
    set_password(clients, "ada")
    path = "/api/v1/workspaces/default/tokens"
    made = http.post(path, json={"owner": "vera"}, auth=("ada", PASSWORD))
    assert made.status_code == 200

    event = http.get(
        "/api/v1/workspaces/default/events?newest=true&limit=1", auth=("ada", PASSWORD)
    ).json()["items"][0]

    assert (event["actor"], event["token"]) == ("ada", None)
