"""When a token was last used is written down; our services work in every workspace."""

from __future__ import annotations

import pytest

from mainspring.administration import contract
from mainspring.administration.contract import CreateToken, Nothing
from mainspring.app import App
from mainspring.core.errors import Unauthenticated
from tests import story
from tests.house import SERVICE, Clients, Clock, local_client


def last_uses(clients: Clients) -> dict[str, bool]:
    tokens = clients.admin.call(contract.list_tokens, Nothing())
    return {token.owner: token.last_used_at is not None for token in tokens}


def test_a_token_that_was_used_says_when(app: App, clients: Clients) -> None:
    clients.viewer.call(contract.whoami, Nothing())
    app.note_used_tokens()

    used = last_uses(clients)
    mine = clients.viewer.call(contract.whoami, Nothing()).name
    assert used[mine]
    assert not all(used.values())


def test_the_services_work_in_a_new_workspace_at_once(app: App, tokens: dict[str, str]) -> None:
    story.elsewhere(app, tokens)

    service = local_client(app, tokens[SERVICE], story.ELSEWHERE)

    assert "operate" in service.call(contract.whoami, Nothing()).permissions


def test_what_is_made_with_a_token_that_ends_does_not_outlive_it(
    clients: Clients, clock: Clock
) -> None:
    short = clients.admin.call(contract.create_token, CreateToken(owner="ada", days=1)).token
    maker = clients.signed_in(short)
    made = [
        clients.signed_in(maker.call(contract.create_token, request).token)
        for request in (CreateToken(owner="ada"), CreateToken(owner="vera", days=30))
    ]
    clock.advance(days=2)

    for client in made:
        with pytest.raises(Unauthenticated):
            client.call(contract.whoami, Nothing())
