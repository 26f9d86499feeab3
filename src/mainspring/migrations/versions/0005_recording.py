"""Runs that were tried before are recognised; datasets have splits; registrations have requirements."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("run", sa.Column("setup", sa.Text()))
    there = sa.text("setup is not null")
    op.create_index(
        "ix_run_setup", "run", ["workspace_id", "setup"], sqlite_where=there, postgresql_where=there
    )
    op.add_column("run_dataset", sa.Column("split", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "registration_policy",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("require", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
            name="fk_registration_policy_workspace_id_workspace",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_registration_policy"),
    )
