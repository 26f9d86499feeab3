"""Service accounts: a person answers for each, and each change is logged."""

from __future__ import annotations

from typing import Any

from mainspring.administration import account_contract as contract
from mainspring.administration.account_contract import ServiceAccount
from mainspring.administration.account_store import AccountStore
from mainspring.administration.contract import CreateToken, NewToken, Nothing, Token
from mainspring.administration.roles import account_role
from mainspring.administration.store import AdministrationStore
from mainspring.administration.token_service import make_token
from mainspring.core.access import OUR_SERVICES
from mainspring.core.errors import Blocked, Conflict, Forbidden, NotFound
from mainspring.core.operation import Done
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.core.work import Work, performs


def _stores(work: Work) -> tuple[AdministrationStore, AccountStore]:
    place = (work.connection, work.workspace_id)
    return AdministrationStore(*place), AccountStore(*place)


@performs(contract.add_account)
def add_account(work: Work, request: contract.AddServiceAccount) -> ServiceAccount:
    """Add it with its roles; its owner answers for it from the first moment."""
    if request.name.casefold() in OUR_SERVICES:
        raise Conflict(
            f"{request.name!r} is the name of a service of Mainspring's own",
            field="name",
            fix="give the account a name that says whose program it is",
        )
    for role in request.roles:
        work.actor.require("grant", "giving a role")
        account_role(role)
    store, accounts = _stores(work)
    owner_name = request.owner or work.actor.name
    owner = accounts.owner_key(owner_name)
    key = store.add_principal("service", request.name, work.now, owner)
    accounts.give(key, owner, work.actor.name, work.now)
    for role in request.roles:
        store.grant(key, role, work.actor.name, work.now)
    facts: dict[str, Any] = {"owner": owner_name, "roles": sorted(request.roles)}
    work.announce("service_account.added", ("service", request.name), **facts)
    return accounts.account(request.name)


@performs(contract.list_accounts)
def list_accounts(work: Work, request: Nothing) -> list[ServiceAccount]:
    """By name."""
    return _stores(work)[1].accounts()


@performs(contract.disable_account)
def disable_account(work: Work, request: contract.NameServiceAccount) -> ServiceAccount:
    """Disable it: nobody has to wait for an administrator to stop their own robot."""
    store, accounts = _stores(work)
    row = _managed(work, accounts, request.account)
    if row.owner_id != work.actor.key:
        _here_alone(work, store, row, "disabled")
    accounts.disable(row.id, work.now)
    work.announce("service_account.disabled", ("service", request.account))
    return accounts.account(request.account)


@performs(contract.hand_over)
def hand_over(work: Work, request: contract.HandOver) -> ServiceAccount:
    """Another owner. Who had it knows its tokens, and may not be here much longer: they end."""
    store, accounts = _stores(work)
    row = accounts.row(request.account)
    _here_alone(work, store, row, "handed over")
    before = accounts.account(request.account).owner
    owner = accounts.owner_key(request.owner)
    if owner == row.owner_id:
        raise Conflict(f"{request.account!r} is {request.owner!r}'s already", field="owner")
    accounts.give(row.id, owner, work.actor.name, work.now)
    facts: dict[str, Any] = {
        "owner": request.owner,
        "before": before,
        "tokens": accounts.end_tokens(row.id, work.now),
    }
    work.announce("service_account.handed_over", ("service", request.account), **facts)
    return accounts.account(request.account)


@performs(contract.create_account_token)
def create_account_token(work: Work, request: contract.CreateAccountToken) -> NewToken:
    """Make it; whoever knows its secret answers for what is done with it."""
    store, accounts = _stores(work)
    row = _managed(work, accounts, request.account)
    if row.disabled_at is not None:
        raise Conflict(f"{request.account!r} is disabled; no token would help", field="account")
    wanted = CreateToken(
        owner=request.account, verbs=request.verbs, models=request.models, days=request.days
    )
    return make_token(work, store, row.id, wanted)


@performs(contract.list_account_tokens)
def list_account_tokens(work: Work, request: contract.NameServiceAccount) -> list[Token]:
    """Its tokens that were made here, without secrets."""
    store, accounts = _stores(work)
    _managed(work, accounts, request.account)
    return [token for token in store.tokens() if token.owner == request.account]


@performs(contract.revoke_account_token)
def revoke_account_token(work: Work, request: contract.NameAccountToken) -> Done:
    """Make it worthless."""
    store, accounts = _stores(work)
    _managed(work, accounts, request.account)
    if request.token not in {one.id for one in store.tokens() if one.owner == request.account}:
        raise NotFound(f"{request.account!r} has no token {request.token!r} here", field="token")
    store.revoke_token(request.token, work.now)
    work.announce("token.revoked", ("token", request.token), owner=request.account)
    return Done()


def _managed(work: Work, accounts: AccountStore, name: str) -> Any:
    """The account's row, for its owner and for administrators."""
    row = accounts.row(name)
    owns = row.owner_id == work.actor.key and not work.actor.limited
    if not owns and not work.actor.may("admin"):
        raise Forbidden(
            f"{work.actor.name!r} may not manage the service account {name!r}: its owner may, not "
            "with a token that is limited, and administrators",
            fix="mainspring service-accounts list shows whose it is",
        )
    return row


def _here_alone(work: Work, store: AdministrationStore, row: Any, done: str) -> None:
    """Who administers one workspace does not decide about rights in others."""
    if work.workspace != DEFAULT_WORKSPACE and store.has_roles_elsewhere(row.id):
        raise Blocked(
            f"{row.name!r} was not {done}, which would be so in every workspace",
            [f"{row.name!r} has roles in another workspace"],
            fix=f"let an administrator of {DEFAULT_WORKSPACE!r} do it",
        )
