"""The tables of people, services, tokens, roles, stored answers and files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from mainspring.core.database import Json, Key, Moment, metadata

principal_table = Table(
    # People and services are one table, so that events, grants and tokens need one reference.
    "principal",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("disabled_at", Moment),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("kind", "name"),
)
grant_table = Table(
    "role_grant",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("principal_id", Key, ForeignKey("principal.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "principal_id", "role"),
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
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
    Column("recorded_at", Moment, nullable=False),
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
    Column("response", Text, nullable=False),
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
