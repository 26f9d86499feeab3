"""Versions are blocked and revoked, gates overridden; aliases follow stages, models have fields."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("version", sa.Column("state", sa.Text(), nullable=False, server_default="active"))
    op.add_column(
        "version", sa.Column("state_reason", sa.Text(), nullable=False, server_default="")
    )
    op.add_column("suite", sa.Column("override_hours", sa.Integer()))
    op.add_column("model", sa.Column("on_call", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("model", sa.Column("escalation", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "model_field",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_model_field_workspace_id_workspace"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "of", "name", name="pk_model_field"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "protected_alias",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_protected_alias_workspace_id_workspace"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "alias", name="pk_protected_alias"),
        sqlite_with_rowid=False,
    )
