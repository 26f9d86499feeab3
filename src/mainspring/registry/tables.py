"""The tables of the registry."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from mainspring.core.database import NAME, TAG, WORDS, Json, Key, Moment, metadata

model_table = Table(
    "model",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="model"),
    Column("owner", Text, nullable=False, info=NAME),
    Column("team", Text, nullable=False),
    # People by their names, who is asked first coming first; and whom to call when none answers.
    Column("on_call", Json, nullable=False, server_default="[]", info=WORDS),
    Column("escalation", Text, nullable=False, server_default=""),
    Column("risk_tier", Text, nullable=False),
    # The tier before it was last lowered, and when: what was trained before keeps that one.
    Column("lowered_from", Text),
    Column("lowered_at", Moment),
    Column("description", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("updated_at", Moment),
    UniqueConstraint("workspace_id", "name"),
)
model_tag_table = Table(
    "model_tag",
    metadata,
    Column("model_id", Key, ForeignKey("model.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=TAG),
    sqlite_with_rowid=False,
)
version_table = Table(
    "version",
    metadata,
    Column("id", Key, primary_key=True),
    Column("model_id", Key, ForeignKey("model.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("state_reason", Text, nullable=False, server_default=""),
    # NULL if its files are not ours: such a version is known, and cannot be promoted or deployed.
    Column("digest", Text),
    Column("engine", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("signature", Json, nullable=False),
    Column("files", Json, nullable=False),
    Column("run", Text),
    Column("trained_model", Text),
    # Where another tool's client said that its files are, and the link that it gave.
    Column("source", Text, nullable=False, server_default=""),
    Column("location", Text, nullable=False, server_default=""),
    Column("run_link", Text, nullable=False, server_default=""),
    Column("description", Text, nullable=False),
    Column("registered_by", Text, nullable=False, info=NAME),
    Column("event", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("updated_at", Moment),
    # A deleted version keeps its number: nothing else may ever be called the same.
    Column("deleted_at", Moment),
    UniqueConstraint("model_id", "number"),
    Index("ix_version_trained_model", "model_id", "trained_model"),
    Index("ix_version_run", "run"),
    Index("ix_version_stage", "model_id", "stage", "number"),
    Index("ix_version_digest", "digest"),
)
version_tag_table = Table(
    "version_tag",
    metadata,
    Column("version_id", Key, ForeignKey("version.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=TAG),
    sqlite_with_rowid=False,
)
version_engine_table = Table(
    # Which engine answers how many rows of a version, as measured after it was registered.
    "version_engine",
    metadata,
    Column("version_id", Key, ForeignKey("version.id"), primary_key=True),
    Column("measured", Json, nullable=False),
    # Its conversion, if that answers anything; it is none of the version's files.
    Column("onnx_digest", Text),
    Column("onnx_size", BigInteger),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_version_engine_onnx_digest", "onnx_digest"),
    sqlite_with_rowid=False,
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
    # Empty if the workspace asks it of every model, or of those of one risk tier.
    Column("model", Text, nullable=False),
    Column("risk_tier", Text),
    Column("stage", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checks", Json, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("approvers", Json, nullable=False, server_default="{}"),
    Column("services", Json, nullable=False, server_default="[]"),
    Column("verdict_hours", Integer),
    Column("training_days", Integer),
    Column("expiry_days", Integer),
    # NULL if nothing leads past the gate.
    Column("override_hours", Integer),
    Column("declared_by", Text, nullable=False, info=NAME),
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
    # The first of its suites, and the keys of the others: those of the workspace.
    Column("suite_id", Key, ForeignKey("suite.id"), nullable=False),
    Column("more_suites", Json, nullable=False, server_default="[]"),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False, info=NAME),
    Column("on_behalf_of", Json, nullable=False, info=WORDS),
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
    Column("person", Text, nullable=False, info=NAME),
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
    Column("by", Text, nullable=False, info=NAME),
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
    Column("proposed_by", Text, nullable=False, info=NAME),
    Column("approved_by", Text, info=NAME),
    # The suite that stood when it was approved: a policy speaks for no other.
    Column("suite_digest", Text),
    Column("max_promotions", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)
for _table in (model_tag_table, version_tag_table):
    Index(f"ix_{_table.name}_value", _table.c.key, _table.c.value).ddl_if(dialect="sqlite")
    Index(f"ix_{_table.name}_beginning", _table.c.key, func.left(_table.c.value, 200)).ddl_if(
        dialect="postgresql"
    )
protected_alias_table = Table(
    # An alias that follows a stage of every model: nobody sets it, promotions move it.
    "protected_alias",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
declared_stage_table = Table(
    # The stages that a workspace has beside those that all have.
    "declared_stage",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
field_table = Table(
    # What a workspace wants said of its models and versions; the values are tags.
    "model_field",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("of", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("choices", Json, nullable=False),
    Column("required", Boolean, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
registration_policy_table = Table(
    # What a run must have recorded before a model of it may be registered. No row asks for nothing.
    "registration_policy",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("require", Json, nullable=False),
    Column("set_by", Text, nullable=False, info=NAME),
    Column("recorded_at", Moment, nullable=False),
)
