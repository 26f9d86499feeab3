"""The names of roles and verbs, as people give them."""

from __future__ import annotations

from mainspring.core.access import ACCOUNTS_ROLES, PEOPLES_ROLES, PERMISSIONS
from mainspring.core.errors import Invalid
from mainspring.core.text import closest


def known_role(role: str) -> None:
    """Refuse a role that people cannot be given."""
    if role not in PEOPLES_ROLES:
        raise Invalid(
            f"no role {role!r}{closest(role, PEOPLES_ROLES)}; there are: {', '.join(PEOPLES_ROLES)}",
            field="roles",
        )


def account_role(role: str) -> None:
    """Refuse a role that service accounts cannot be given."""
    known_role(role)
    if role not in ACCOUNTS_ROLES:
        raise Invalid(
            f"a service account cannot have the role {role!r}, which is for people who answer for "
            f"themselves; it can have: {', '.join(ACCOUNTS_ROLES)}",
            field="role",
        )


def known_verb(verb: str) -> None:
    """Refuse a verb that there is not."""
    if verb not in PERMISSIONS:
        raise Invalid(
            f"no permission {verb!r}{closest(verb, PERMISSIONS)}; there are: "
            f"{', '.join(sorted(PERMISSIONS))}",
            field="verbs",
        )
