"""What may be asked about groups of people, and about verbs that are denied."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.administration.contract import Nothing
from mainspring.core.ids import Name
from mainspring.core.operation import Done, Operation, Request


class PeopleGroup(msgspec.Struct, frozen=True, kw_only=True):
    """People who hold roles together, in one workspace."""

    name: str
    members: list[str]
    roles: list[str]
    denied: list[str]
    recorded_at: dt.datetime


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """A verb that somebody may not, whatever roles they have."""

    verb: str
    person: str | None
    group: str | None
    denied_by: str
    recorded_at: dt.datetime


class CreateGroup(Request, frozen=True, kw_only=True):
    """A new group without anybody in it."""

    name: Name


class NameGroup(Request, frozen=True, kw_only=True):
    """One group."""

    group: Name


class GroupMember(Request, frozen=True, kw_only=True):
    """A person in a group."""

    group: Name
    person: Name


class GroupRole(Request, frozen=True, kw_only=True):
    """A role of a group."""

    group: Name
    role: Name


class Deny(Request, frozen=True, kw_only=True):
    """A verb, and the person or the group that may not."""

    verb: Name
    person: Name | None = None
    group: Name | None = None


create_group = Operation(
    "groups.create", "POST", "/groups", CreateGroup, PeopleGroup,
    allow="grant", summary="Make a group of people in this workspace.", decision=True,
)  # fmt: skip
list_groups = Operation(
    "groups.list", "GET", "/groups", Nothing, list[PeopleGroup],
    allow="read", summary="List the groups: members, roles, denied verbs.",
)  # fmt: skip
delete_group = Operation(
    "groups.delete", "DELETE", "/groups/{group}", NameGroup, Done,
    allow="grant", summary="Delete a group, with what it grants and denies.", decision=True,
)  # fmt: skip
add_member = Operation(
    "groups.add-member", "POST", "/groups/{group}/members", GroupMember, PeopleGroup,
    allow="grant", summary="Put a person into a group.", decision=True,
)  # fmt: skip
remove_member = Operation(
    "groups.remove-member", "DELETE", "/groups/{group}/members/{person}", GroupMember, PeopleGroup,
    allow="grant", summary="Take a person out of a group.", decision=True,
)  # fmt: skip
grant_group = Operation(
    "groups.grant", "POST", "/groups/{group}/roles", GroupRole, PeopleGroup,
    allow="grant", summary="Give a group a role in this workspace.", decision=True,
)  # fmt: skip
revoke_group = Operation(
    "groups.revoke", "DELETE", "/groups/{group}/roles/{role}", GroupRole, PeopleGroup,
    allow="grant", summary="Take a role from a group.", decision=True,
)  # fmt: skip
deny = Operation(
    "roles.deny", "POST", "/denials", Deny, Done,
    allow="grant", summary="Deny a person or a group a verb, whatever their roles allow.",
    decision=True,
)  # fmt: skip
allow_again = Operation(
    "roles.allow-again", "DELETE", "/denials/{verb}", Deny, Done,
    allow="grant", summary="Deny a person or a group a verb no longer.", decision=True,
)  # fmt: skip
list_denials = Operation(
    "roles.denied", "GET", "/denials", Nothing, list[Denial],
    allow="read", summary="List what people and groups are denied here.",
)  # fmt: skip
