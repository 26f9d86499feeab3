"""What may be asked about service accounts: programs of people, each with a person who answers for it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.administration.contract import NewToken, Nothing, Token
from mainspring.core.ids import Name
from mainspring.core.name_patterns import NamePattern
from mainspring.core.operation import Done, Operation, Request


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A program that signs in by itself, like a robot of continuous integration."""

    name: str
    owner: str
    """The person who answers for it now."""
    answering: list[str]
    """Everybody who does: the owner, earlier owners, and who made its tokens."""
    roles: list[str]
    groups: dict[str, list[str]] = {}
    """The groups that it is in here, each with the roles that it gives."""
    denied: list[str] = []
    disabled: bool
    recorded_at: dt.datetime


class AddServiceAccount(Request, frozen=True, kw_only=True):
    """A new service account, with roles in this workspace."""

    name: Name
    owner: Name | None = None
    """The person who answers for it; whoever adds it if none is named."""
    roles: list[Name] = []


class NameServiceAccount(Request, frozen=True, kw_only=True):
    """One service account."""

    account: Name


class HandOver(Request, frozen=True, kw_only=True):
    """Another person who answers for a service account."""

    account: Name
    owner: Name


class CreateAccountToken(Request, frozen=True, kw_only=True):
    """A token for a service account, perhaps limited."""

    account: Name
    verbs: list[Name] | None = None
    models: Annotated[list[NamePattern], msgspec.Meta(min_length=1, max_length=20)] | None = None
    """Patterns of the names of models and deployments that it is limited to, like churn-*."""
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class NameAccountToken(Request, frozen=True, kw_only=True):
    """One token of a service account by its public id."""

    account: Name
    token: Name


add_account = Operation(
    "service-accounts.add", "POST", "/service-accounts", AddServiceAccount, ServiceAccount,
    allow="admin", summary="Add a program's own account, which a person answers for.",
    decision=True,
)  # fmt: skip
list_accounts = Operation(
    "service-accounts.list", "GET", "/service-accounts", Nothing, list[ServiceAccount],
    allow="read", summary="List the service accounts, and who answers for each.",
)  # fmt: skip
disable_account = Operation(
    "service-accounts.disable", "POST", "/service-accounts/{account}/disable",
    NameServiceAccount, ServiceAccount,
    allow="read", summary="Take every right from a service account; its owner may, too.",
    decision=True,
)  # fmt: skip
hand_over = Operation(
    "service-accounts.hand-over", "PUT", "/service-accounts/{account}/owner",
    HandOver, ServiceAccount,
    allow="admin", summary="Give a service account another owner; its tokens end.",
    decision=True,
)  # fmt: skip
create_account_token = Operation(
    "service-accounts.create-token", "POST", "/service-accounts/{account}/tokens",
    CreateAccountToken, NewToken,
    allow="read", summary="Make a token of a service account, as its owner or an administrator.",
    decision=True, secret=True,
)  # fmt: skip
list_account_tokens = Operation(
    "service-accounts.tokens", "GET", "/service-accounts/{account}/tokens",
    NameServiceAccount, list[Token],
    allow="read", summary="List a service account's tokens, as its owner or an administrator.",
)  # fmt: skip
revoke_account_token = Operation(
    "service-accounts.revoke-token", "DELETE", "/service-accounts/{account}/tokens/{token}",
    NameAccountToken, Done,
    allow="read", summary="Make a service account's token worthless.", decision=True,
)  # fmt: skip
