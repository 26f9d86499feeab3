"""When a token was last used is written down; our services work in every workspace."""

from __future__ import annotations

from mainspring.administration import contract
from mainspring.administration.contract import Nothing
from mainspring.app import App
from tests import story
from tests.house import SERVICE, Clients, local_client


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
