"""Service accounts in tests: add one, make it a token, hand it over."""

from __future__ import annotations

from mainspring.administration import account_contract as accounts
from mainspring.administration import contract as administration
from mainspring.administration.account_contract import (
    AddServiceAccount,
    CreateAccountToken,
    HandOver,
    ServiceAccount,
)
from mainspring.administration.contract import GrantRole, NewToken
from mainspring.core.operation import FileClient
from tests.house import Clients

CI = "ci"


def add(clients: Clients, name: str = CI, owner: str = "dora", *roles: str) -> ServiceAccount:
    request = AddServiceAccount(name=name, owner=owner, roles=list(roles or ("developer",)))
    return clients.admin.call(accounts.add_account, request)


def token_by(client: FileClient, account: str = CI, **limits: object) -> NewToken:
    request = CreateAccountToken(account=account, **limits)  # type: ignore[arg-type]
    return client.call(accounts.create_account_token, request)


def give(clients: Clients, owner: str, account: str = CI) -> ServiceAccount:
    return clients.admin.call(accounts.hand_over, HandOver(account=account, owner=owner))


def grant(clients: Clients, name: str, role: str) -> None:
    clients.admin.call(administration.grant_role, GrantRole(person=name, role=role))
