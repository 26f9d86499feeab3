"""Who may do what, read off every operation that is declared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.administration import contract
from mainspring.administration.contract import CreateToken
from mainspring.app import OPERATIONS, App, LocalClient
from mainspring.core.access import (
    PEOPLES_ROLES,
    PERMISSIONS,
    ROLES,
    Actor,
    looks_like_token,
    new_token,
    roles_permissions,
    token_hash,
)
from mainspring.core.errors import Forbidden, MainspringError, NotFound, Unauthenticated
from mainspring.core.ids import new_id
from mainspring.core.operation import Operation
from mainspring.core.settings import Settings
from tests.conftest import Template
from tests.house import local_client
from tests.sample import sample

EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))


@pytest.fixture(scope="module")
def shared(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One application for all: permissions do not depend on what is in the database."""
    home = tmp_path_factory.mktemp("access")
    shutil.copy(sqlite_template.place, home / "mainspring.db")
    app = App(Settings(home=home))
    yield app
    app.close()


@pytest.fixture(scope="module")
def limited(shared: App) -> dict[str, dict[str, str]]:
    """Tokens of somebody who may do everything, each limited: to one verb, or to all but one."""
    for role in ROLES:
        token = shared.token_of("person", "max", role)
    client = local_client(shared, token)

    def make(verbs: set[str]) -> str:
        request = CreateToken(owner="max", verbs=sorted(verbs))
        return client.call(contract.create_token, request).token

    return {
        "only": {verb: make({verb}) for verb in PERMISSIONS},
        "all but": {verb: make(PERMISSIONS.keys() - {verb}) for verb in PERMISSIONS},
    }


@EVERY
def test_without_its_permission_an_operation_is_refused(
    operation: Operation[Any, Any], shared: App, limited: dict[str, dict[str, str]]
) -> None:
    client = local_client(shared, limited["all but"][operation.allow])

    with pytest.raises(Forbidden, match=f"needs the permission '{operation.allow}'"):
        client.call(operation, sample(operation))


def answered(client: LocalClient, operation: Operation[Any, Any]) -> str:
    try:
        client.call(operation, sample(operation))
    except MainspringError as error:
        return error.message
    return "done"


@EVERY
def test_with_its_permission_alone_an_operation_passes(
    operation: Operation[Any, Any], shared: App, limited: dict[str, dict[str, str]]
) -> None:
    client = local_client(shared, limited["only"][operation.allow])

    assert "needs the permission" not in answered(client, operation)


@EVERY
def test_without_a_token_an_operation_is_refused(
    operation: Operation[Any, Any], shared: App
) -> None:
    with pytest.raises(Unauthenticated):
        local_client(shared, "").call(operation, sample(operation))


@EVERY
def test_in_a_workspace_that_is_not_yours_an_operation_finds_nothing(
    operation: Operation[Any, Any], shared: App, limited: dict[str, dict[str, str]]
) -> None:
    client = local_client(shared, limited["only"][operation.allow], "not-mine")

    with pytest.raises(NotFound, match="no workspace named 'not-mine' for you"):
        client.call(operation, sample(operation))


@EVERY
def test_an_operation_needs_a_permission_that_there_is(operation: Operation[Any, Any]) -> None:
    assert operation.allow in PERMISSIONS


@EVERY
def test_reading_takes_read_or_a_permission_of_few(operation: Operation[Any, Any]) -> None:
    assert not operation.reads or operation.allow in {"read", "register", "admin", "operate"}


def test_every_role_is_made_of_permissions_that_there_are() -> None:
    assert frozenset().union(*ROLES.values()) <= PERMISSIONS.keys()


def test_no_person_gets_what_only_the_service_may() -> None:
    assert all("operate" not in ROLES[role] for role in PEOPLES_ROLES)


def test_the_service_decides_nothing() -> None:
    assert ROLES["service"].isdisjoint({"approve", "grant", "admin"})


def test_unknown_roles_allow_nothing() -> None:
    assert roles_permissions(frozenset({"emperor"})) == frozenset()


def test_roles_add_up() -> None:
    both = roles_permissions(frozenset({"viewer", "approver"}))

    assert both == ROLES["viewer"] | ROLES["approver"]


def test_a_scope_withholds_what_the_role_allows() -> None:
    actor = Actor("person", 1, "ada", frozenset({"read", "log"}), scopes=frozenset({"read"}))

    assert actor.may("read")
    assert not actor.may("log")


def test_a_scope_gives_nothing_that_the_role_does_not_allow() -> None:
    actor = Actor("person", 1, "ada", frozenset({"read"}), scopes=frozenset({"read", "admin"}))

    assert not actor.may("admin")


def test_a_token_is_known_by_its_shape() -> None:
    token = new_token(new_id())

    assert looks_like_token(token)
    assert not looks_like_token(token[:-1] + "x")
    assert not looks_like_token("msp_")


def test_the_database_never_holds_a_token(shared: App, sqlite_template: Template) -> None:
    stored = Path(sqlite_template.place).read_bytes()

    assert token_hash(sqlite_template.tokens["ada"]).encode() in stored
    assert sqlite_template.tokens["ada"].encode() not in stored
