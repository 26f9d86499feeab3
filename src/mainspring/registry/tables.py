"""The tables of the registry."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.core.database import Json, Key, Moment, metadata

model_table = Table(
    "model",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("risk_tier", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
version_table = Table(
    "version",
    metadata,
    Column("id", Key, primary_key=True),
    Column("model_id", Key, ForeignKey("model.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("signature", Json, nullable=False),
    Column("files", Json, nullable=False),
    Column("run", Text),
    Column("trained_model", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("model_id", "number"),
    UniqueConstraint("model_id", "trained_model"),
    Index("ix_version_stage", "model_id", "stage"),
    Index("ix_version_digest", "digest"),
)
alias_table = Table(
    "alias",
    metadata,
    Column("model_id", Key, ForeignKey("model.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)
suite_table = Table(
    # By the model's name: a suite is declared before there is a model.
    "suite",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checks", Json, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("declared_by", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_suite_model", "workspace_id", "model", "stage"),
)
promotion_table = Table(
    "promotion",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("version_id", Key, ForeignKey("version.id"), nullable=False),
    Column("suite_id", Key, ForeignKey("suite.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("on_behalf_of", Json, nullable=False),
    Column("policy", Text),
    Column("reason", Text, nullable=False),
    Column("champion", Integer),
    Column("recorded_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("decided_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_promotion_version_id", "version_id"),
)
verdict_table = Table(
    "verdict",
    metadata,
    Column("id", Key, primary_key=True),
    Column("promotion_id", Key, ForeignKey("promotion.id"), nullable=False),
    Column("check_name", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("measurements", Json, nullable=False),
    Column("suite_digest", Text, nullable=False),
    Column("data_digest", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_verdict_promotion_id", "promotion_id"),
)
approval_table = Table(
    "approval",
    metadata,
    Column("id", Key, primary_key=True),
    Column("promotion_id", Key, ForeignKey("promotion.id"), nullable=False),
    Column("person", Text, nullable=False),
    Column("policy", Text),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("bound_to", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_approval_promotion_id", "promotion_id"),
)
stage_table = Table(
    # Every move of a version into or out of a stage, for ever.
    "stage_change",
    metadata,
    Column("id", Key, primary_key=True),
    Column("version_id", Key, ForeignKey("version.id"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("promotion_id", Key, ForeignKey("promotion.id")),
    Column("by", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_stage_change_version_id", "version_id"),
)
policy_table = Table(
    "policy",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("approved_by", Text),
    # The suite that stood when it was approved: a policy speaks for no other.
    Column("suite_digest", Text),
    Column("max_promotions", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
