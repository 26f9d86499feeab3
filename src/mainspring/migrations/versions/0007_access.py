"""People have passwords and groups, verbs are denied, tokens are limited to names."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.add_column("token", sa.Column("models", sa.Text()))
    op.create_table(
        "password",
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principal.id"], name="fk_password_principal_id_principal"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_password_workspace_id_workspace"
        ),
        sa.PrimaryKeyConstraint("principal_id", name="pk_password"),
    )
    _groups()


def _groups() -> None:
    op.create_table(
        "person_group",
        sa.Column("id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("person_group", "workspace"),
        sa.PrimaryKeyConstraint("id", name="pk_person_group"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_person_group_workspace_id_name"),
    )
    op.create_table(
        "group_member",
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("group_id", KEY, nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("group_member", "principal"),
        _to("group_member", "workspace"),
        _to("group_member", "person_group", "group_id"),
        sa.PrimaryKeyConstraint("principal_id", "workspace_id", "group_id", name="pk_group_member"),
    )
    op.create_table(
        "group_role",
        sa.Column("group_id", KEY, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("group_role", "person_group", "group_id"),
        sa.PrimaryKeyConstraint("group_id", "role", name="pk_group_role"),
    )
    op.create_table(
        "denial",
        sa.Column("id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("principal_id", KEY),
        sa.Column("group_id", KEY),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("denied_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("denial", "workspace"),
        _to("denial", "principal"),
        _to("denial", "person_group", "group_id"),
        sa.PrimaryKeyConstraint("id", name="pk_denial"),
    )
    op.create_index(
        "ix_denial_principal_id_workspace_id", "denial", ["principal_id", "workspace_id"]
    )
    op.create_index("ix_denial_group_id", "denial", ["group_id"])


def _to(table: str, other: str, column: str | None = None) -> sa.ForeignKeyConstraint:
    column = column or f"{other}_id"
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")
