"""Who may do what: verbs, roles, actors, tokens. Deny by default."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from mainspring.core.errors import Forbidden
from mainspring.core.reference import reference_of

PERMISSIONS = {
    "read": "see everything of a workspace",
    "predict": "ask a deployment for predictions",
    "log": "record runs, datasets, files and labels",
    "register": "register models and versions, and describe them",
    "validate": "declare suites and record the verdicts of checks",
    "request": "ask for a promotion, withdraw one",
    "approve": "approve or reject promotions and standing policies",
    "deploy": "start, stop and roll out deployments",
    "rollback": "return a deployment to an earlier version",
    "monitor": "declare monitors and runbooks, acknowledge alerts, work on incidents",
    "retrain": "set retraining policies, start and stop retrainings",
    "train": "report what a training did; Mainspring's own trainer does",
    "operate": "do what only Mainspring's own services do: close windows, finish jobs",
    "grant": "give and take roles",
    "admin": "manage people, tokens and workspaces; free storage",
}
"""Every permission verb with its meaning; docs/access.md lists the same."""

ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "developer": frozenset(
        {"read", "predict", "log", "register", "validate", "request", "monitor", "retrain"}
    ),
    "approver": frozenset({"read", "approve"}),
    "deployer": frozenset({"read", "predict", "deploy", "rollback", "monitor"}),
    "auditor": frozenset({"read"}),
    "admin": frozenset(PERMISSIONS) - {"operate", "train"},
    # A training runs code that its users wrote: it gets no verb that could speak for a check.
    "trainer": frozenset({"read", "predict", "log", "register", "request", "train"}),
    "service": frozenset(PERMISSIONS) - {"approve", "grant", "admin"},
}
"""What each role may do. Roles add up. `service` and `trainer` are
for Mainspring's own reactions alone."""

PEOPLES_ROLES = tuple(sorted(ROLES.keys() - {"service", "trainer"}))
OUR_SERVICES = ("mainspring", "trainer")
"""The names of the services that are Mainspring's own; no service account is called so."""
NO_ACCOUNTS_ROLES = frozenset({"service", "trainer", "admin"})
NO_ACCOUNTS_VERBS = frozenset({"approve", "grant", "admin"})
"""What takes a person who answers for it themselves, whatever gives it to a service account."""
ACCOUNTS_ROLES = tuple(role for role in PEOPLES_ROLES if not ROLES[role] & NO_ACCOUNTS_VERBS)

ActorKind = Literal["person", "service"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a service, as a token proved it, with its permissions in one workspace."""

    kind: ActorKind
    key: int
    name: str
    permissions: frozenset[str]
    token: str | None = None
    """The public id of the token, never the token."""
    scopes: frozenset[str] | None = None
    """The verbs that the token is limited to; None for all of its owner's."""

    models: tuple[str, ...] | None = None
    """Patterns of the names of models and deployments that the token is limited to."""
    public_id: str = ""
    """Of a person, what the log of events refers to them by."""
    erasures: int = 0
    """How many people had been erased when the actor was identified."""

    @property
    def referred(self) -> str:
        """What the log of events calls the actor: people by reference."""
        return reference_of(self.public_id) if self.kind == "person" else self.name

    session: str | None = None
    """The public id of the session of a browser, if that is how they are signed in."""
    proof: str | None = None
    """The mark of the password that was proved, if that is how they signed in."""
    owner: str | None = None
    """Of a service account: the person who answers for it; Mainspring's own services have none."""

    @property
    def is_ours(self) -> bool:
        """Whether it is one of Mainspring's own services."""
        return self.kind == "service" and self.owner is None

    @property
    def answering(self) -> str:
        """Who answers for what it makes: the owner of a service account, else the actor."""
        return self.owner or self.name

    @property
    def limited(self) -> bool:
        """Whether the token may less than its owner."""
        return self.scopes is not None or self.models is not None

    def may(self, verb: str) -> bool:
        """Whether the actor holds the permission, and the token does not withhold it."""
        return verb in self.permissions and (self.scopes is None or verb in self.scopes)

    def require(self, verb: str, doing: str) -> None:
        """Refuse unless the actor holds the permission."""
        if not self.may(verb):
            raise Forbidden(
                f"{self.kind} {self.name!r} needs the permission {verb!r} for {doing}",
                fix="ask an administrator for a role that has it: mainspring roles grant",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, where, and under which request."""

    token: str
    """Empty if a password was proved instead."""
    workspace: str
    request_id: str
    cause: str | None = None
    """The event that the caller reacts to."""
    person: str = ""
    """Whose password was proved, if that is how the caller signed in."""
    proof: str = ""
    """Which of the person's passwords it was: a changed one proves nothing."""
    session: str = ""
    """The secret in the cookie of a browser, if that is how the caller signed in."""
    named: bool = True
    """Whether the client chose the request's id: only then can it ask for the answer again."""


@cache
def roles_permissions(roles: frozenset[str]) -> frozenset[str]:
    """What the roles allow together."""
    return frozenset().union(*(ROLES[role] for role in roles if role in ROLES))


@cache
def permitted(roles: frozenset[str], denied: frozenset[str]) -> frozenset[str]:
    """What the roles allow together, without what is denied: that always wins."""
    return roles_permissions(roles) - denied


@cache
def account_permitted(roles: frozenset[str], denied: frozenset[str]) -> frozenset[str]:
    """What a service account with these roles may: the one place that withholds what none may have."""
    return permitted(roles - NO_ACCOUNTS_ROLES, denied | NO_ACCOUNTS_VERBS)


def new_token(public_id: str) -> str:
    """A fresh API token `msp_<id>_<secret><crc>`: the shape lets secret scanners find and check it."""
    body = f"msp_{public_id[:12]}_{secrets.token_hex(24)}"
    return f"{body}{zlib.crc32(body.encode()):08x}"


def token_hash(token: str) -> str:
    """What is stored of a token: it is 192 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def looks_like_token(text: str) -> bool:
    """Whether the text has a token's shape and checksum, before any look-up."""
    body, crc = text[:-8], text[-8:]
    return text.startswith("msp_") and f"{zlib.crc32(body.encode()):08x}" == crc
