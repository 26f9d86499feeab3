"""Stages of a workspace's own; suites of the workspace, by risk tier; who approves, how fresh."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("suite", sa.Column("risk_tier", sa.Text()))
    op.add_column("suite", sa.Column("approvers", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("suite", sa.Column("services", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("suite", sa.Column("verdict_hours", sa.Integer()))
    op.add_column("suite", sa.Column("training_days", sa.Integer()))
    op.add_column("suite", sa.Column("expiry_days", sa.Integer()))
    op.add_column(
        "promotion", sa.Column("more_suites", sa.Text(), nullable=False, server_default="[]")
    )
    op.add_column("model", sa.Column("lowered_from", sa.Text()))
    op.add_column("model", sa.Column("lowered_at", sa.BigInteger()))
    op.create_table(
        "declared_stage",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_declared_stage_workspace_id_workspace"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "name", name="pk_declared_stage"),
        sqlite_with_rowid=False,
    )
