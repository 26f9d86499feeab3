"""How to do each operation about service accounts in a furnished workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.administration import account_contract as contract
from mainspring.administration.account_contract import (
    AddServiceAccount,
    CreateAccountToken,
    HandOver,
    NameAccountToken,
    NameServiceAccount,
)
from mainspring.administration.contract import Nothing
from mainspring.core.operation import Client

ROBOT = "robot"


def prepared(admin: Client) -> None:
    """A robot of Dora's with a token of this workspace."""
    if not admin.call(contract.list_accounts, Nothing()):
        request = AddServiceAccount(name=ROBOT, owner="dora", roles=["developer"])
        admin.call(contract.add_account, request)
    _token(admin)


def _token(admin: Client) -> str:
    return admin.call(contract.create_account_token, CreateAccountToken(account=ROBOT)).id


def _do(operation: Any, request: Any) -> Callable[[Any], object]:
    return lambda world: world.clients.admin.call(operation, request)


def _revoked(world: Any) -> None:
    admin = world.clients.admin
    request = NameAccountToken(account=ROBOT, token=_token(admin))
    admin.call(contract.revoke_account_token, request)


DEEDS: dict[str, Callable[[Any], object]] = {
    "service-accounts.add": _do(contract.add_account, AddServiceAccount(name="another")),
    "service-accounts.disable": _do(contract.disable_account, NameServiceAccount(account=ROBOT)),
    "service-accounts.hand-over": _do(contract.hand_over, HandOver(account=ROBOT, owner="paul")),
    "service-accounts.create-token": lambda world: _token(world.clients.admin),
    "service-accounts.revoke-token": _revoked,
}
