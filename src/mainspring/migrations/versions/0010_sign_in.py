"""Programs of people have accounts and owners who answer for them; browsers have sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("principal") as batch:
        batch.add_column(sa.Column("owner_id", KEY))
        batch.create_foreign_key(
            "fk_principal_owner_id_principal", "principal", ["owner_id"], ["id"]
        )
    named = sa.text("kind = 'person' or owner_id is not null")
    op.create_index(
        "uq_principal_name",
        "principal",
        ["name"],
        unique=True,
        sqlite_where=named,
        postgresql_where=named,
    )
    with op.batch_alter_table("token") as batch:
        batch.add_column(sa.Column("made_by", KEY))
        batch.create_foreign_key("fk_token_made_by_principal", "principal", ["made_by"], ["id"])
        batch.add_column(sa.Column("given_by", KEY))
        batch.create_foreign_key("fk_token_given_by_principal", "principal", ["given_by"], ["id"])
        batch.add_column(sa.Column("given_at", sa.BigInteger()))
    with op.batch_alter_table("password") as batch:
        batch.add_column(sa.Column("given_by", KEY))
        batch.create_foreign_key(
            "fk_password_given_by_principal", "principal", ["given_by"], ["id"]
        )
        batch.add_column(sa.Column("given_at", sa.BigInteger()))
    op.create_index("ix_token_principal_id", "token", ["principal_id"])
    op.create_table(
        "ownership",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("ownership", "account_id", "principal"),
        _to("ownership", "owner_id", "principal"),
        sa.PrimaryKeyConstraint("id", name="pk_ownership"),
    )
    op.create_index("ix_ownership_account_id", "ownership", ["account_id"])
    op.create_index("ix_ownership_owner_id", "ownership", ["owner_id"])
    _sessions()


def _sessions() -> None:
    op.create_table(
        "session",
        sa.Column("id", KEY, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("token_id", KEY),
        sa.Column("proof", sa.Text()),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=False),
        sa.Column("idle_until", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        _to("session", "principal_id", "principal"),
        _to("session", "workspace_id", "workspace"),
        _to("session", "token_id", "token"),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.UniqueConstraint("public_id", name="uq_session_public_id"),
        sa.UniqueConstraint("hash", name="uq_session_hash"),
    )
    op.create_index("ix_session_principal_id", "session", ["principal_id"])


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")
