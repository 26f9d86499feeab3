"""How to do each operation about groups and denials in a furnished workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.administration import group_contract as contract
from mainspring.administration.contract import Nothing
from mainspring.administration.group_contract import (
    CreateGroup,
    Deny,
    GroupMember,
    GroupRole,
    NameGroup,
)
from mainspring.core.operation import Client

GROUP = "reviewers"


def prepared(admin: Client) -> None:
    """A group that somebody is in, with a role and a denied verb; and a person who is denied one."""
    if admin.call(contract.list_groups, Nothing()):
        return  # a reset leaves groups, as it leaves people
    admin.call(contract.create_group, CreateGroup(name=GROUP))
    admin.call(contract.add_member, GroupMember(group=GROUP, person="vera"))
    admin.call(contract.grant_group, GroupRole(group=GROUP, role="auditor"))
    admin.call(contract.deny, Deny(group=GROUP, verb="train"))
    admin.call(contract.deny, Deny(person="vera", verb="retrain"))


def _do(operation: Any, request: Any) -> Callable[[Any], object]:
    return lambda world: world.clients.admin.call(operation, request)


DEEDS: dict[str, Callable[[Any], object]] = {
    "groups.create": _do(contract.create_group, CreateGroup(name="others")),
    "groups.delete": _do(contract.delete_group, NameGroup(group=GROUP)),
    "groups.add-member": _do(contract.add_member, GroupMember(group=GROUP, person="dora")),
    "groups.remove-member": _do(contract.remove_member, GroupMember(group=GROUP, person="vera")),
    "groups.grant": _do(contract.grant_group, GroupRole(group=GROUP, role="viewer")),
    "groups.revoke": _do(contract.revoke_group, GroupRole(group=GROUP, role="auditor")),
    "roles.deny": _do(contract.deny, Deny(person="vera", verb="predict")),
    "roles.allow-again": _do(contract.allow_again, Deny(person="vera", verb="retrain")),
}
