"""What was measured of a version's engines, and its conversion."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "version_engine",
        sa.Column("version_id", KEY, nullable=False),
        sa.Column("measured", sa.Text(), nullable=False),
        sa.Column("onnx_digest", sa.Text()),
        sa.Column("onnx_size", sa.BigInteger()),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["version.id"], name="fk_version_engine_version_id_version"
        ),
        sa.PrimaryKeyConstraint("version_id", name="pk_version_engine"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_version_engine_onnx_digest", "version_engine", ["onnx_digest"])
