"""What was deleted can be found and collected."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PARTIAL = (
    ("ix_run_parent", "run", "parent", "parent"),
    ("ix_run_deleted", "run", "id", "deleted_at"),
    ("ix_run_collected", "run", "id", "collected_at"),
    ("ix_trained_model_deleted", "trained_model", "id", "deleted_at"),
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "condemned_file",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("put_by", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_condemned_file"),
    )
    op.add_column("run", sa.Column("collected_at", sa.BigInteger()))
    for name, table, key, column in PARTIAL:
        there = sa.text(f"{column} is not null")
        op.create_index(
            name, table, ["workspace_id", key], sqlite_where=there, postgresql_where=there
        )
    op.create_index("ix_trained_model_metric_run_id", "trained_model_metric", ["run_id"])
