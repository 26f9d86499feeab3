"""What may be asked about people, tokens, workspaces, events and jobs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.chain import Fault
from mainspring.core.event import Event
from mainspring.core.ids import PLAIN, Digest, Limit, Name, Place, Text, Time
from mainspring.core.name_patterns import NamePattern
from mainspring.core.operation import Done, Operation, Page, Request

Secret = Annotated[str, msgspec.Meta(max_length=1000, pattern=PLAIN)]


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A room of its own: nothing in it is seen from another."""

    name: str
    recorded_at: dt.datetime


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who can be held to account."""

    name: str
    roles: list[str]
    """Their own; those of their groups come on top."""
    groups: dict[str, list[str]] = {}
    """The groups that they are in here, each with the roles that it gives them."""
    denied: list[str] = []
    """Verbs that they or their groups are denied, whatever gives them."""
    disabled: bool
    recorded_at: dt.datetime


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is listed: never the secret itself."""

    id: str
    owner: str
    verbs: list[str] | None
    models: list[str] | None
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked: bool
    recorded_at: dt.datetime


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token just made. The secret is shown this once and kept only as a hash."""

    id: str
    owner: str
    token: str


class Self(msgspec.Struct, frozen=True, kw_only=True):
    """Who the server takes you for."""

    kind: str
    name: str
    workspace: str
    permissions: list[str]
    models: list[str] | None = None
    """Patterns of names that the token is limited to."""


class PendingJob(msgspec.Struct, frozen=True, kw_only=True):
    """A reaction that has not been done yet."""

    id: int
    reaction: str
    lane: str
    event: str
    due_at: dt.datetime
    attempts: int
    running: bool
    last_error: str | None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of the event chain found."""

    events: int
    """How many there are, up to the first that is wrong."""
    first_bad: int | None
    """The sequence of the first event that was changed, moved or cut; None if all hold."""
    checkpoints: int = 0
    """How many signed checkpoints the events agree with."""
    faults: list[Fault] = []
    """What is wrong with the events, and with the file of checkpoints: the first of each."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of one workspace's events found."""

    workspace: str
    chain: Chain


class Nothing(Request, frozen=True, kw_only=True):
    """Asks without saying more."""


class CreateWorkspace(Request, frozen=True, kw_only=True):
    """A new workspace."""

    name: Name


class AddPerson(Request, frozen=True, kw_only=True):
    """A new person, with roles in this workspace."""

    name: Name
    roles: list[Name] = []


class NamePerson(Request, frozen=True, kw_only=True):
    """One person."""

    name: Name


class SetPassword(Request, frozen=True, kw_only=True):
    """Another password for a person."""

    person: Name
    password: Secret
    old_password: Secret | None = None
    """The one they have now: whoever changes their own gives it."""


class GrantRole(Request, frozen=True, kw_only=True):
    """A role for a person in this workspace."""

    person: Name
    role: Name


class CreateToken(Request, frozen=True, kw_only=True):
    """A token for a person, perhaps limited."""

    owner: Name
    verbs: list[Name] | None = None
    models: Annotated[list[NamePattern], msgspec.Meta(min_length=1, max_length=20)] | None = None
    """Patterns of the names of models and deployments that it is limited to, like churn-*."""
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class NameToken(Request, frozen=True, kw_only=True):
    """One token by its public id."""

    token: Name


class ListEvents(Request, frozen=True, kw_only=True):
    """Events in their order, filtered."""

    model: Name | None = None
    kind: Text | None = None
    subject: Text | None = None
    subject_kind: Text | None = None
    actor: Text | None = None
    by_token: Text | None = None
    """The id of the token that it was asked with."""
    outcome: Text | None = None
    """`done` or `refused`."""
    since: Time | None = None
    """By the server's clock; from this moment on."""
    until: Time | None = None
    """Before this moment."""
    after: Place = 0
    """The sequence to go on after."""
    newest: bool = False
    """Whether to show the last ones instead of the first; still in their order."""
    as_stored: bool = False
    """Whether to tell them as they are hashed, with references in place of people's names."""
    limit: Limit = 100


class ListJobs(Request, frozen=True, kw_only=True):
    """Pending reactions."""

    limit: Limit = 100


class FailJob(Request, frozen=True, kw_only=True):
    """A reaction that was tried often enough."""

    job: Place
    error: Text


class RecordBlob(Request, frozen=True, kw_only=True):
    """A file that this workspace now has."""

    digest: Digest
    size: Place


class NameBlob(Request, frozen=True, kw_only=True):
    """One file by its digest."""

    digest: Digest


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A file by its content."""

    digest: str
    size: int


whoami = Operation(
    "whoami.show", "GET", "/whoami", Nothing, Self,
    allow="read", summary="Say who the server takes you for.", filtered=True,
)  # fmt: skip
create_workspace = Operation(
    "workspaces.create", "POST", "/workspaces", CreateWorkspace, Workspace,
    allow="admin", summary="Make a workspace.", scope="system", decision=True,
)  # fmt: skip
list_workspaces = Operation(
    "workspaces.list", "GET", "/workspaces", Nothing, list[Workspace],
    allow="admin", summary="List the workspaces.", scope="system",
)  # fmt: skip
add_person = Operation(
    "people.add", "POST", "/people", AddPerson, Person,
    allow="admin", summary="Add a person, with roles in this workspace.", decision=True,
)  # fmt: skip
list_people = Operation(
    "people.list", "GET", "/people", Nothing, list[Person],
    allow="read", summary="List the people and their roles in this workspace.",
)  # fmt: skip
disable_person = Operation(
    "people.disable", "POST", "/people/{name}/disable", NamePerson, Person,
    allow="admin", summary="Take every right from a person; what they did stays.", decision=True,
)  # fmt: skip
set_password = Operation(
    "people.set-password", "PUT", "/people/{person}/password", SetPassword, Done,
    allow="read", summary="Set a password: one's own, or as an administrator anybody's.",
    decision=True, secret=True,
)  # fmt: skip
grant_role = Operation(
    "roles.grant", "POST", "/roles", GrantRole, Person,
    allow="grant", summary="Give a person a role in this workspace.", decision=True,
)  # fmt: skip
revoke_role = Operation(
    "roles.revoke", "DELETE", "/people/{person}/roles/{role}", GrantRole, Person,
    allow="grant", summary="Take a role from a person.", decision=True,
)  # fmt: skip
create_token = Operation(
    "tokens.create", "POST", "/tokens", CreateToken, NewToken,
    allow="admin", summary="Make an API token; its secret is shown once.",
    decision=True, secret=True,
)  # fmt: skip
list_tokens = Operation(
    "tokens.list", "GET", "/tokens", Nothing, list[Token],
    allow="admin", summary="List the tokens, without their secrets.",
)  # fmt: skip
revoke_token = Operation(
    "tokens.revoke", "DELETE", "/tokens/{token}", NameToken, Done,
    allow="admin", summary="Make a token worthless.", decision=True,
)  # fmt: skip
list_events = Operation(
    "events.list", "GET", "/events", ListEvents, Page[Event],
    allow="read", summary="Tell what happened, in order.",
)  # fmt: skip
verify_events = Operation(
    "events.verify", "GET", "/events/verification", Nothing, Chain,
    allow="read", summary="Check the hash chain of the event log.",
)  # fmt: skip
verify_workspaces = Operation(
    "workspaces.verify", "GET", "/workspaces/verification", Nothing, list[Verified],
    allow="admin", summary="Check the events of every workspace.", scope="system",
)  # fmt: skip
list_jobs = Operation(
    "jobs.list", "GET", "/jobs", ListJobs, list[PendingJob],
    allow="read", summary="List the reactions that are still to be done.",
)  # fmt: skip
fail_job = Operation(
    "jobs.fail", "POST", "/jobs/failures", FailJob, Done,
    allow="operate", summary="Give a reaction up and say so in the log.",
)  # fmt: skip
tidy = Operation(
    "jobs.tidy", "POST", "/jobs/tidying", Request, Done,
    allow="operate", summary="Forget the answers that no client will ask for again.",
    repeatable=True,
)  # fmt: skip
record_blob = Operation(
    "files.record", "POST", "/files", RecordBlob, Blob,
    allow="log", summary="Name a stored file in this workspace.", repeatable=True, inside=True,
)  # fmt: skip
show_blob = Operation(
    "files.show", "GET", "/files/{digest}", NameBlob, Blob,
    allow="read", summary="Say whether this workspace has the file.",
)  # fmt: skip
