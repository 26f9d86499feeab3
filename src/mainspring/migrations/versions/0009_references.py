"""People have a public id that the log refers to; workspaces count erasures."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "workspace", sa.Column("erasures", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("principal", sa.Column("public_id", sa.Text()))
    principal = sa.table("principal", sa.column("id"), sa.column("public_id"))
    connection = op.get_bind()
    for key in connection.scalars(sa.select(principal.c.id)).all():
        values = {"public_id": uuid.uuid4().hex}
        connection.execute(principal.update().where(principal.c.id == key).values(values))
    with op.batch_alter_table("principal") as batch:
        batch.alter_column("public_id", existing_type=sa.Text(), nullable=False)
        batch.create_unique_constraint("uq_principal_public_id", ["public_id"])
