"""Labels name predictions by entity and time too, are corrected, and windows say what they knew."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_label_event_time", table_name="label")
    with op.batch_alter_table("label") as batch:
        batch.drop_constraint("uq_label_deployment_id_request_id", type_="unique")
        batch.alter_column("request_id", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("entity_key", sa.Text()))
        batch.add_column(sa.Column("about", sa.BigInteger()))
        batch.add_column(sa.Column("superseded_at", sa.BigInteger()))
    _index("ix_label_request_id", ["deployment_id", "request_id"], "request_id")
    _index("ix_label_entity_key", ["deployment_id", "entity_key", "about"], "entity_key")
    op.create_index("ix_label_event_time", "label", ["deployment_id", "event_time", "id"])
    op.create_index("ix_label_recorded_at", "label", ["deployment_id", "recorded_at"])
    op.add_column("monitoring_window", sa.Column("labels_known_at", sa.BigInteger()))
    op.create_table(
        "label_rule",
        sa.Column("deployment_id", KEY, nullable=False),
        sa.Column("horizon_hours", sa.Double(), nullable=False),
        sa.Column("deadline_hours", sa.Double(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_label_rule_deployment_id_deployment"
        ),
        sa.PrimaryKeyConstraint("deployment_id", name="pk_label_rule"),
    )


def _index(name: str, columns: list[str], given: str) -> None:
    """Of the rows that have the column."""
    where = sa.text(f"{given} is not null")
    op.create_index(name, "label", columns, sqlite_where=where, postgresql_where=where)
