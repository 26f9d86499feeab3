"""Whoever answers for a model in production is not erased before somebody else does."""

from __future__ import annotations

from sqlalchemy import Connection, select

from mainspring.administration.erasing import objects
from mainspring.core.event_log import workspace_table
from mainspring.registry.tables import model_table, version_table


@objects
def owned_in_production(connection: Connection, name: str) -> list[str]:
    """The models in production that the person owns, in all workspaces."""
    rows = connection.execute(
        select(model_table.c.name, workspace_table.c.name.label("workspace"))
        .join(version_table, version_table.c.model_id == model_table.c.id)
        .join(workspace_table, workspace_table.c.id == model_table.c.workspace_id)
        .where(model_table.c.owner == name, version_table.c.stage == "production")
        .distinct()
        .order_by(workspace_table.c.name, model_table.c.name)
    )
    return [
        f"{name!r} owns {row.name!r} in the workspace {row.workspace!r}, which is in production"
        for row in rows
    ]
