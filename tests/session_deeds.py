"""How to do each operation about sessions of browsers in a furnished workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.administration import session_contract as contract
from mainspring.administration.contract import NamePerson, Nothing
from mainspring.app import LocalClient
from mainspring.core.access import Caller
from mainspring.core.ids import new_id


def _opened(world: Any) -> str:
    return str(world.clients.admin.call(contract.open_session, Nothing()).secret)


def _ended(world: Any) -> None:
    admin = world.clients.admin
    assert isinstance(admin, LocalClient)
    caller = Caller(
        token="", session=_opened(world), workspace=admin._workspace, request_id=new_id()
    )
    admin._app.run(contract.end_session, Nothing(), caller)


def _signed_out(world: Any) -> None:
    _opened(world)
    world.clients.admin.call(contract.sign_out, NamePerson(name="ada"))


DEEDS: dict[str, Callable[[Any], object]] = {
    "sessions.open": _opened,
    "sessions.end": _ended,
    "people.sign-out": _signed_out,
}
