"""Runs the migrations in the transaction that the caller opened."""

from alembic import context

import mainspring.tables  # noqa: F401  so that autogenerate sees every table
from mainspring.core.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=False,
)
context.run_migrations()
