"""The tables of people, services, tokens, roles, stored answers and files."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.core.database import NAME, WORDS, Json, Key, Moment, metadata
from mainspring.core.principal import principal_table

__all__ = ["principal_table"]

NAMED = (principal_table.c.kind == "person") | principal_table.c.owner_id.is_not(None)
"""People and service accounts: events and four eyes know them by name, so no two share one."""
ownership_table = Table(
    # Everybody who ever owned a service account: they all answer for what it does.
    "ownership",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("owner_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("given_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_ownership_account_id", "account_id"),
    Index("ix_ownership_owner_id", "owner_id"),
)
grant_table = Table(
    "role_grant",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("principal_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("granted_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "principal_id", "role"),
)
group_table = Table(
    # Of one workspace: else whoever administers another could put themselves into it.
    "person_group",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
group_member_table = Table(
    # The group's workspace again: who asks is found without the group's own row.
    "group_member",
    metadata,
    Column("principal_id", Key, ForeignKey("principal.id"), primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("group_id", Key, ForeignKey("person_group.id"), primary_key=True),
    Column("added_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
)
group_role_table = Table(
    "group_role",
    metadata,
    Column("group_id", Key, ForeignKey("person_group.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("granted_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
)
denial_table = Table(
    # Of a person or of a group, one of them.
    "denial",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("principal_id", Key, ForeignKey("principal.id")),
    Column("group_id", Key, ForeignKey("person_group.id")),
    Column("verb", Text, nullable=False),
    Column("denied_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_denial_principal_id_workspace_id", "principal_id", "workspace_id"),
    Index("ix_denial_group_id", "group_id"),
)
token_table = Table(
    "token",
    metadata,
    Column("id", Key, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("principal_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("verbs", Json),
    Column("models", Json),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    Column("recorded_at", Moment, nullable=False),
    # Who knows the secret of a service account's token answers for what is done with it.
    Column("made_by", Key, ForeignKey("principal.id")),
    # Of a person: who knows it beside them, having made it or what it was made with, and since when.
    Column("given_by", Key, ForeignKey("principal.id")),
    Column("given_at", Moment),
    Index("ix_token_principal_id", "principal_id"),
)
password_table = Table(
    "password",
    metadata,
    Column("principal_id", Key, ForeignKey("principal.id"), primary_key=True),
    # Who administers a workspace can set passwords in it; elsewhere those must prove nothing.
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("hash", Text, nullable=False),
    Column("proof", Text, nullable=False),
    Column("given_by", Key, ForeignKey("principal.id")),
    Column("given_at", Moment),
    Column("recorded_at", Moment, nullable=False),
)
session_table = Table(
    # Browsers that are signed in: each by what proved it, and only as long as that holds.
    "session",
    metadata,
    Column("id", Key, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("principal_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("token_id", Key, ForeignKey("token.id")),
    # The mark of the password that the person had then.
    Column("proof", Text),
    Column("hash", Text, nullable=False, unique=True),
    Column("last_used_at", Moment, nullable=False),
    Column("idle_until", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_session_principal_id", "principal_id"),
)
request_table = Table(
    # The answers of finished requests: a client that retries gets the first answer again.
    "request",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("principal_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("body_digest", Text, nullable=False),
    Column("response", Text, nullable=False, info=WORDS),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "principal_id", "request_id"),
    Index("ix_request_recorded_at", "recorded_at"),
)
file_table = Table(
    "file",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    # When its bytes last came: for a while after that somebody may be about to name it.
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "digest"),
)
