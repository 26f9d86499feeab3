"""When a token was last used is written down, once in a while."""

from __future__ import annotations

from mainspring.administration import contract
from mainspring.administration.contract import Nothing
from mainspring.app import App
from tests.house import Clients


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
