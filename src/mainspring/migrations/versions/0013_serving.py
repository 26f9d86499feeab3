"""A deployment says how it serves: processes, gRPC, its log and its limits."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("deployment") as batch:
        batch.add_column(sa.Column("serving", sa.Text(), nullable=False, server_default="{}"))
