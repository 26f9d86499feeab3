"""Who adds somebody with a role gives it, which takes more than adding them."""

from __future__ import annotations

import pytest

from mainspring.administration import account_contract as accounts
from mainspring.administration import contract as administration
from mainspring.administration.account_contract import AddServiceAccount
from mainspring.administration.contract import AddPerson, CreateToken
from mainspring.core.errors import Forbidden
from tests.house import Clients


def test_a_token_that_gives_no_roles_adds_nobody_who_has_one(clients: Clients) -> None:
    made = clients.admin.call(
        administration.create_token, CreateToken(owner="ada", verbs=["admin"])
    )
    limited = clients.signed_in(made.token)

    with pytest.raises(Forbidden, match="'grant' for giving a role"):
        limited.call(administration.add_person, AddPerson(name="zoe", roles=["admin"]))
    with pytest.raises(Forbidden, match="'grant' for giving a role"):
        limited.call(accounts.add_account, AddServiceAccount(name="bot", roles=["deployer"]))
    assert limited.call(administration.add_person, AddPerson(name="zoe")).roles == []
